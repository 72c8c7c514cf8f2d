using TaskQueue.Engine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Scaling;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.WebConsole.Overview;

/// <summary>
/// The overview of the whole server, which all viewers of this process share: one read of the database a second at most, and none while
/// nobody looks.
/// </summary>
internal sealed partial class OverviewFeed(
    BacklogWatch backlog, QueueScaling scaling, QueueCatalog catalog, OverviewHealthReader health, OverviewCounts counts,
    IOverviewSource source, DependencyHealth dependencies, TimeProvider time, ILogger<OverviewFeed> logger)
{
    /// <summary>Time between two reads.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>How long maintenance jobs and slow numbers are remembered.</summary>
    private static readonly TimeSpan SlowInterval = TimeSpan.FromSeconds(10);

    /// <summary>How long a read may take before the previous values are shown.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly Sparks _sparks = new(time);
    private Task<OverviewDetails>? _reading;
    private long _begun;
    private IReadOnlyDictionary<string, QueueRecord> _declared = new Dictionary<string, QueueRecord>();
    private IReadOnlyList<OverviewJob> _jobs = [];
    private long? _slowAt;

    /// <summary>The current overview with everything in it; the same object for all who ask within a second.</summary>
    public Task<OverviewDetails> ReadAsync()
    {
        lock (_lock)
        {
            if (_reading is null || (_reading.IsCompleted && time.GetElapsedTime(_begun) >= Interval))
                (_begun, _reading) = (time.GetTimestamp(), Task.Run(ReadOnceAsync));
            return _reading;
        }
    }

    private async Task<OverviewDetails> ReadOnceAsync()
    {
        using var patience = new CancellationTokenSource(Patience, time);
        await TryAsync(async () => _declared = await catalog.AllAsync(), patience.Token);
        await TryAsync(() => backlog.RefreshAsync(0.9 * Interval), patience.Token);
        if (_slowAt is null || time.GetElapsedTime(_slowAt.Value) >= SlowInterval)
        {
            _slowAt = time.GetTimestamp();
            await TryAsync(() => counts.ReadAsync(patience.Token), patience.Token);
            await TryAsync(async () => _jobs = await source.JobsAsync(patience.Token), patience.Token);
        }

        var queues = _declared.Keys.Union(backlog.Queues, StringComparer.Ordinal).Select(QueueOf)
            .OrderByDescending(q => q.Waiting).ThenBy(q => q.Queue, StringComparer.Ordinal).ToList();
        var (outbox, state) = (backlog.Outbox, await health.ReadAsync(patience.Token));
        return new OverviewDetails(
            Micros.Now(time), state.Health, _sparks.Add(queues), 0, counts.LostWorkers, counts.OpenFailures,
            outbox is { } events ? new OverviewOutbox(events.Rows, events.AgeSeconds) : null, state.Dependencies, _jobs);
    }

    private OverviewQueue QueueOf(string queue)
    {
        var record = _declared.GetValueOrDefault(queue);
        var demand = scaling.Peek(queue, record?.Settings ?? QueueSettings.Default);
        var waiting = demand is null ? 0 : demand.Due + demand.Later + demand.Blocked;
        return new OverviewQueue(
            queue, record?.Owner, record is not null, waiting, demand?.Running ?? 0, demand?.OldestAgeSeconds ?? 0,
            demand?.ArrivedPerSecond, demand?.FinishedPerSecond, counts.FailedIn(queue),
            demand is null ? null : DrainOf(demand.Due, demand.ArrivedPerSecond, demand.FinishedPerSecond),
            record?.Settings.Paused ?? false, []);
    }

    /// <summary>When no due task waits any more; null: never, or unknown.</summary>
    private static double? DrainOf(long due, double? arrived, double? finished) =>
        due == 0 ? 0 : finished - (arrived ?? 0) is { } surplus and > 0 ? Math.Ceiling(due / surplus) : null;

    /// <summary>Without the database the previous values are shown.</summary>
    private async Task TryAsync(Func<Task> read, CancellationToken cancellationToken)
    {
        try
        {
            await read().WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // It takes too long.
        }
#pragma warning disable CA1031 // one part that cannot be read must not hide the others
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!dependencies.TryHandle(fault))
                LogFailed(fault);
        }
    }

    [LoggerMessage(LogLevel.Warning, "A part of the overview cannot be read; showing its previous state")]
    private partial void LogFailed(Exception fault);
}
