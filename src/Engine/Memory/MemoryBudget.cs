using System.Diagnostics.Metrics;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Memory;

/// <summary>
/// The memory of a process for requests and responses: a number of bytes, split into pools that do not block each other, so that large
/// bodies delay neither small requests nor the workers that would free the memory.
/// </summary>
public sealed class MemoryBudget
{
    /// <summary>Bodies and responses up to this size are small.</summary>
    public const int SmallBytes = 64 * 1024;

    /// <summary>Overhead of a row beside its texts: its object, its other columns, its share of a response.</summary>
    private const int PerRow = 2048;

    /// <summary>Creates the pools and their metrics.</summary>
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
        Bodies = new MemoryPool("bodies", BodiesOf(Bytes, engine.Value.MaxWaitingBytes), patience, time);
        MemoryPool[] parts = [Small, Bodies, Answers, Claims, Commands];
        var meter = meters.Create(TaskQueueMeter.Name);
        meter.CreateObservableGauge("taskqueue.memory.used", () =>
            Of(parts, p => p.Used), "By", "Memory reserved by request bodies, responses and commands.");
        meter.CreateObservableGauge("taskqueue.memory.limit", () => Of(parts, p => p.Size), "By", "Maximum memory that may be reserved.");
        meter.CreateObservableGauge("taskqueue.memory.waiting", () =>
            Of(parts, p => p.Waiting), "{reservation}", "Reservations waiting for memory.");
        meter.CreateObservableCounter("taskqueue.memory.refused", () =>
            Of(parts, p => p.Refused), "{reservation}", "Reservations refused because no memory became free in time.");
    }

    /// <summary>Total of all pools in bytes.</summary>
    public long Bytes { get; }

    /// <summary>Maximum bytes of a page or claim.</summary>
    public long MaxAnswerBytes { get; }

    /// <summary>Maximum bytes of a payload; items of batches may have more.</summary>
    public long MaxRowBytes { get; }

    /// <summary>Requests with small bodies, and responses with a small task.</summary>
    public MemoryPool Small { get; }

    /// <summary>Bodies of other requests, until the request is done.</summary>
    public MemoryPool Bodies { get; }

    /// <summary>Pages and other responses, until they are written.</summary>
    public MemoryPool Answers { get; }

    /// <summary>Claims, until they are written: separate, so that slow readers do not keep workers from their work.</summary>
    public MemoryPool Claims { get; }

    /// <summary>Submits and reports that wait for the database and belong to no request with a counted body.</summary>
    public MemoryPool Commands { get; }

    /// <summary>Cost of a response: text at two bytes a character, one encoded row, and the row objects.</summary>
    /// <param name="bytes">Bytes of payloads, results and headers.</param>
    /// <param name="rows">Number of tasks.</param>
    public static long AnswerCost(long bytes, int rows) => (3 * bytes) + ((long)PerRow * rows);

    /// <summary>What the other pools leave to large bodies.</summary>
    /// <param name="total">Total of all pools in bytes.</param>
    /// <param name="commands">Size of the commands' pool, if it is configured.</param>
    internal static long BodiesOf(long total, long? commands) => total - (total / 8) - (total / 4) - (total / 8) - (commands ?? total / 8);

    private static IEnumerable<Measurement<long>> Of(MemoryPool[] parts, Func<MemoryPool, long> value) =>
        parts.Select(p => new Measurement<long>(value(p), new KeyValuePair<string, object?>("part", p.Name)));
}
