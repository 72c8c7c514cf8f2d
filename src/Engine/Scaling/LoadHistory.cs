using System.Collections.Concurrent;

namespace TaskQueue.Engine.Scaling;

/// <summary>
/// Recent samples of the queues that autoscalers query. Only these are kept, so memory grows with queries, not with queues.
/// </summary>
internal sealed class LoadHistory(TimeProvider time)
{
    /// <summary>Window over which rates are computed.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    /// <summary>Age at which a queue without queries is evicted; also the maximum age of a sample.</summary>
    public static readonly TimeSpan Memory = TimeSpan.FromMinutes(10);

    /// <summary>Bounds the memory: names of queues without tasks can be queried too.</summary>
    private const int MaxQueues = 10_000;

    private readonly ConcurrentDictionary<string, QueueHistory> _queues = new(StringComparer.Ordinal);

    /// <summary>Samples a queue from now on.</summary>
    /// <returns>Its samples; null if too many queues are followed.</returns>
    public QueueHistory? Follow(string queue)
    {
        if (!_queues.TryGetValue(queue, out var history))
        {
            if (_queues.Count >= MaxQueues)
                return null;
            history = _queues.GetOrAdd(queue, _ => new QueueHistory());
        }

        history.AskedAt = time.GetTimestamp();
        return history;
    }

    /// <summary>The followed queues; evicts those without recent queries.</summary>
    public IReadOnlyCollection<string> Followed()
    {
        foreach (var (queue, history) in _queues)
        {
            if (time.GetElapsedTime(history.AskedAt) > Memory)
                _queues.TryRemove(queue, out _);
        }

        return [.. _queues.Keys];
    }

    /// <summary>Records a read.</summary>
    /// <param name="queues">The queues whose finished tasks were counted.</param>
    /// <param name="backlog">The backlog read.</param>
    /// <param name="tiers">Its tiers by queue.</param>
    /// <param name="now">The time of the read, UTC.</param>
    /// <param name="stamp">The time of the read as a monotonic timestamp.</param>
    public void Add(IReadOnlyCollection<string> queues, Backlog backlog, ILookup<string, TierBacklog> tiers, DateTime now, long stamp)
    {
        var finished = backlog.Finished.ToLookup(f => f.Key.Queue, f => (f.Key.Tier, f.Value));
        foreach (var queue in queues)
        {
            if (_queues.TryGetValue(queue, out var history))
                history.Add(new QueueSample(stamp, now, [.. tiers[queue]], [.. finished[queue]]), time);
        }
    }
}

/// <summary>A sample of a queue.</summary>
/// <param name="Stamp">The time as a monotonic timestamp.</param>
/// <param name="At">The time in UTC.</param>
/// <param name="Tiers">Tiers with tasks.</param>
/// <param name="Finished">Tasks completed or failed since the last purge, by tier.</param>
internal sealed record QueueSample(long Stamp, DateTime At, IReadOnlyList<TierBacklog> Tiers,
    IReadOnlyList<(int Tier, long Count)> Finished)
{
    /// <summary>The totals of a tier, or of all tiers.</summary>
    public Load LoadOf(int? tier, TimeProvider time)
    {
        var tiers = Tiers.Where(l => tier is null || l.At.Tier == tier).ToList();
        return new Load(
            (double)Stamp / time.TimestampFrequency, tiers.Sum(l => l.Due), tiers.Sum(l => l.Later), tiers.Sum(l => l.Blocked),
            tiers.Sum(l => l.Running),
            Finished.Where(f => tier is null || f.Tier == tier).Sum(f => f.Count),
            tiers.Min(l => l.OldestDueAt) is { } oldest ? Math.Max(0, (At - oldest).TotalSeconds) : 0);
    }
}

/// <summary>Samples of one queue over about a minute.</summary>
internal sealed class QueueHistory
{
    /// <summary>Samples closer together than this part of the window add no information.</summary>
    private const int MaxSamples = 30;

    private readonly Lock _lock = new();
    private readonly List<QueueSample> _samples = [];
    private long _askedAt;

    /// <summary>Timestamp of the last query.</summary>
    public long AskedAt
    {
        get => Volatile.Read(ref _askedAt);
        set => Volatile.Write(ref _askedAt, value);
    }

    /// <summary>Adds the newest sample. Keeps one sample older than the window, to compare with after a pause in queries.</summary>
    public void Add(QueueSample sample, TimeProvider time)
    {
        lock (_lock)
        {
            // The newest is always kept; the one before it only if it is far enough from its own predecessor.
            if (_samples.Count >= 2 && time.GetElapsedTime(_samples[^2].Stamp, _samples[^1].Stamp) < LoadHistory.Window / MaxSamples)
                _samples.RemoveAt(_samples.Count - 1);
            _samples.Add(sample);
            while (_samples.Count > 1
                && (time.GetElapsedTime(_samples[1].Stamp, sample.Stamp) >= LoadHistory.Window
                    || time.GetElapsedTime(_samples[0].Stamp, sample.Stamp) > LoadHistory.Memory))
                _samples.RemoveAt(0);
        }
    }

    /// <summary>The samples, oldest first.</summary>
    public IReadOnlyList<QueueSample> Samples
    {
        get
        {
            lock (_lock)
                return [.. _samples];
        }
    }
}
