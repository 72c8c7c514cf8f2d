using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Scaling;

/// <summary>
/// The backlog of the whole database, shared by all readers in this process. It is refreshed on demand, one read at a time, and so rarely
/// that reads take at most a twentieth of the time.
/// </summary>
public sealed partial class BacklogWatch
{
    private const int LeastShare = 20;

    private readonly IBacklogStore _store;
    private readonly DependencyHealth _dependencies;
    private readonly TimeProvider _time;
    private readonly TimeSpan _interval;
    private readonly BoundedLabels<QueueTier> _levels;
    private readonly HashSet<(string Queue, string Tier)> _seen = [];
    private readonly ILogger<BacklogWatch> _logger;
    private readonly LoadHistory _history;
    private readonly Lock _lock = new();
    private Task _reading = Task.CompletedTask;
    private long? _endedAt; // timestamp
    private TimeSpan _took;
    private Shown? _shown;
    private bool _isFailing;

    /// <summary>Creates the gauges.</summary>
    public BacklogWatch(IBacklogStore store, IMeterFactory meters, IOptions<TelemetryOptions> options, DependencyHealth dependencies,
        TimeProvider time, ILogger<BacklogWatch> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(meters);
        (_store, _dependencies, _time, _logger) = (store, dependencies, time, logger);
        _interval = TimeSpan.FromSeconds(options.Value.RefreshSeconds);
        _levels = new(options.Value.MaxQueues);
        _history = new(time);
        var meter = meters.Create(TaskQueueMeter.Name);
        meter.CreateObservableGauge("taskqueue.queue.depth", () =>
            Tiers(Depths), "{task}", "Tasks that wait: due, later, or blocked behind others with their ordering key.");
        meter.CreateObservableGauge("taskqueue.queue.running", () =>
            Tiers<long>(l => [new(l.Running, l.Tags)]), "{task}", "Tasks with a lease.");
        meter.CreateObservableGauge("taskqueue.queue.oldest_age", () =>
            Tiers<double>(l => [new(Age(l.OldestDueAt), l.Tags)]), "s", "How long the oldest due task has waited.");
        meter.CreateObservableGauge("taskqueue.outbox.rows", () =>
            One(s => s.Backlog.OutboxRows), "{event}", "Events waiting to be published on the bus.");
        meter.CreateObservableGauge("taskqueue.outbox.age", () =>
            One(s => Age(s.Backlog.OutboxOldestAt)), "s", "How long the oldest waiting event has waited.");
        meter.CreateObservableGauge("taskqueue.backlog.age", () =>
            One(s => Age(s.At)), "s", "Age of the gauges of queues and outbox.");
        meter.CreateObservableGauge("taskqueue.backlog.duration", () => One(s => s.Took.TotalSeconds), "s", "How long that took.");
        meter.CreateObservableGauge("dtq_queue_size", () =>
            One(s => s.Tiers.Sum(l => l.Due + l.Later + l.Blocked)), null, "Waiting tasks in all queues.");
    }

    /// <summary>Refreshes the backlog from the database if that is due; returns when the shown values are current.</summary>
    /// <param name="interval">Time between two reads for this reader; null is the configured one.</param>
    public Task RefreshAsync(TimeSpan? interval = null)
    {
        lock (_lock)
        {
            if (_reading.IsCompleted && IsDue(interval ?? _interval))
                _reading = Task.Run(ReadAsync);
            return _reading;
        }
    }

    private bool IsDue(TimeSpan interval)
    {
        var pause = LeastShare * _took;
        return _endedAt is not { } ended || _time.GetElapsedTime(ended) >= (pause > interval ? pause : interval);
    }

    /// <summary>Queues that held tasks at the last read, declared or not.</summary>
    public IEnumerable<string> Queues => Volatile.Read(ref _shown)?.Queues.Select(q => q.Key) ?? [];

    /// <summary>Events that the outbox held at the last read, and how long the oldest has waited; null before the first read.</summary>
    public (long Rows, double AgeSeconds)? Outbox =>
        Volatile.Read(ref _shown) is { } shown ? (shown.Backlog.OutboxRows, Age(shown.Backlog.OutboxOldestAt)) : null;

    /// <summary>Whether the last read failed.</summary>
    internal bool IsFailing => Volatile.Read(ref _isFailing);

    /// <summary>Returns the recent samples of a queue, and counts its finished tasks from the next read on.</summary>
    internal QueueHistory? Follow(string queue) => _history.Follow(queue);

    /// <summary>The last sample of a queue that is not followed yet; null before the first read.</summary>
    internal QueueSample? Last(string queue) =>
        Volatile.Read(ref _shown) is { } shown ? new QueueSample(shown.Stamp, shown.At, [.. shown.Queues[queue]], []) : null;

    private async Task ReadAsync()
    {
        var begun = _time.GetTimestamp();
        try
        {
            var (now, followed) = (Micros.Now(_time), _history.Followed());
            var backlog = await _store.ReadBacklogAsync(now, followed);
            var queues = backlog.Tiers.ToLookup(l => l.At.Queue);
            _history.Add(followed, backlog, queues, now, begun);
            Volatile.Write(ref _shown, new Shown(backlog, queues, Fold(backlog.Tiers), now, begun, _time.GetElapsedTime(begun)));
            Volatile.Write(ref _isFailing, false);
        }
#pragma warning disable CA1031 // such as an unreachable database: the previous values are shown with their age
        catch (Exception fault)
#pragma warning restore CA1031
        {
            Volatile.Write(ref _isFailing, true);
            if (!_dependencies.TryHandle(fault))
                LogReadFailed(fault);
        }

        lock (_lock)
            (_endedAt, _took) = (_time.GetTimestamp(), _time.GetElapsedTime(begun));
    }

    /// <summary>Sums series that are not shown separately; a series shown once stays, at zero.</summary>
    private List<Tier> Fold(IReadOnlyList<TierBacklog> tiers)
    {
        var known = tiers.GroupBy(l => _levels.Admits(l.At) ? (l.At.Queue, l.At.Tier.ToString()) : (Labels.Other, Labels.Other))
            .Select(g =>
                new Tier(g.Key, g.Sum(l => l.Due), g.Sum(l => l.Later), g.Sum(l => l.Blocked), g.Sum(l => l.Running),
                    g.Min(l => l.OldestDueAt))).ToList();
        var empty = _seen.Except(known.Select(l => l.At)).Select(at => new Tier(at, 0, 0, 0, 0, null)).ToList();
        _seen.UnionWith(known.Select(l => l.At));
        return [.. known, .. empty];
    }

    private static IEnumerable<Measurement<long>> Depths(Tier l) =>
        [new(l.Due, [.. l.Tags, new("state", "due")]), new(l.Later, [.. l.Tags, new("state", "later")]),
            new(l.Blocked, [.. l.Tags, new("state", "blocked")])];

    private IEnumerable<Measurement<T>> Tiers<T>(Func<Tier, IEnumerable<Measurement<T>>> show)
        where T : struct => Latest is { } shown ? shown.Tiers.SelectMany(show) : [];

    private IEnumerable<Measurement<T>> One<T>(Func<Shown, T> show)
        where T : struct => Latest is { } shown ? [new(show(shown))] : [];

    /// <summary>An export without a prior refresh gets the current values and triggers a refresh for the next one.</summary>
    private Shown? Latest
    {
        get
        {
            _ = RefreshAsync();
            return Volatile.Read(ref _shown);
        }
    }

    private double Age(DateTime? since) => since is { } time ? Math.Max(0, (_time.GetUtcNow().UtcDateTime - time).TotalSeconds) : 0;

    [LoggerMessage(LogLevel.Warning, "Cannot refresh the gauges of /metrics; showing the previous values")]
    private partial void LogReadFailed(Exception fault);

    private sealed record Shown(Backlog Backlog, ILookup<string, TierBacklog> Queues, IReadOnlyList<Tier> Tiers, DateTime At, long Stamp,
        TimeSpan Took);

    private sealed record Tier((string Queue, string Tier) At, long Due, long Later, long Blocked, long Running, DateTime? OldestDueAt)
    {
        public KeyValuePair<string, object?>[] Tags { get; } = [new("queue", At.Queue), new("tier", At.Tier)];
    }
}
