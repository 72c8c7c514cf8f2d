using System.Diagnostics.Metrics;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Memory;

/// <summary>
/// The memory of a process for what callers bring and get: one number of bytes, in parts that do not block each other, so that large bodies
/// hold up neither small requests nor the workers that would free what they wait for.
/// </summary>
public sealed class MemoryBudget
{
    /// <summary>Bodies and answers up to this size are small.</summary>
    public const int SmallBytes = 64 * 1024;

    /// <summary>What a row costs beside its texts: its object, its other columns, its place in an answer.</summary>
    private const int PerRow = 2048;

    /// <summary>Makes the parts and their metrics.</summary>
    public MemoryBudget(IOptions<MemoryOptions> options, IOptions<EngineOptions> engine, IMeterFactory meters, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(meters);
        var patience = TimeSpan.FromSeconds(options.Value.MemoryWaitSeconds);
        Bytes = options.Value.Total;
        MaxAnswerBytes = options.Value.MaxAnswerBytes;
        MaxRowBytes = engine.Value.MaxPayloadBytes;
        Small = new MemoryPool("small", Bytes / 8, patience, time);
        Answers = new MemoryPool("answers", Bytes / 4, patience, time);
        Commands = new MemoryPool("commands", engine.Value.MaxWaitingBytes ?? Bytes / 8, patience, time);
        Claims = new MemoryPool("claims", Bytes / 8, patience, time);
        Bodies = new MemoryPool("bodies", Bytes - Small.Size - Answers.Size - Claims.Size - Commands.Size, patience, time);
        MemoryPool[] parts = [Small, Bodies, Answers, Claims, Commands];
        var meter = meters.Create(TaskQueueMeter.Name);
        meter.CreateObservableGauge("taskqueue.memory.used", () =>
            Of(parts, p => p.Used), "By", "Memory reserved by bodies, answers and commands.");
        meter.CreateObservableGauge("taskqueue.memory.limit", () => Of(parts, p => p.Size), "By", "Memory that they may reserve.");
        meter.CreateObservableGauge("taskqueue.memory.waiting", () =>
            Of(parts, p => p.Waiting), "{reservation}", "Reservations that wait for memory.");
        meter.CreateObservableCounter("taskqueue.memory.refused", () =>
            Of(parts, p => p.Refused), "{reservation}", "Reservations that found no memory in time.");
    }

    /// <summary>All parts together.</summary>
    public long Bytes { get; }

    /// <summary>Bytes of one page or claim.</summary>
    public long MaxAnswerBytes { get; }

    /// <summary>Bytes of the largest payload.</summary>
    public long MaxRowBytes { get; }

    /// <summary>Requests with small bodies, and answers with a small task.</summary>
    public MemoryPool Small { get; }

    /// <summary>Bodies of other requests, until what they ask for is done.</summary>
    public MemoryPool Bodies { get; }

    /// <summary>Pages and other answers until they are written.</summary>
    public MemoryPool Answers { get; }

    /// <summary>Claims until they are written: readers that are slow must not keep workers from their work.</summary>
    public MemoryPool Claims { get; }

    /// <summary>Tasks and reports that wait for the database and belong to no request whose body is counted.</summary>
    public MemoryPool Commands { get; }

    /// <summary>What an answer costs: text of two bytes a character, one row of it encoded, and the rows themselves.</summary>
    /// <param name="bytes">Payloads, results and headers.</param>
    /// <param name="rows">How many tasks.</param>
    public static long AnswerCost(long bytes, int rows) => (3 * bytes) + ((long)PerRow * rows);

    private static IEnumerable<Measurement<long>> Of(MemoryPool[] parts, Func<MemoryPool, long> value) =>
        parts.Select(p => new Measurement<long>(value(p), new KeyValuePair<string, object?>("part", p.Name)));
}
