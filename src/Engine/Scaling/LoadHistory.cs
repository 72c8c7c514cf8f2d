using System.Collections.Concurrent;

namespace TaskQueue.Engine.Scaling;

/// <summary>
/// What the queues that somebody asks about held lately. It is kept for those alone, so its size grows with questions, not with queues.
/// </summary>
internal sealed class LoadHistory(TimeProvider time)
{
    /// <summary>How far back rates look.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    /// <summary>A queue that nobody has asked about for so long is forgotten; also how old a sample may be.</summary>
    public static readonly TimeSpan Memory = TimeSpan.FromMinutes(10);

    /// <summary>Names that nobody has tasks in can be asked about too.</summary>
    private const int MaxQueues = 10_000;

    private readonly ConcurrentDictionary<string, QueueHistory> _queues = new(StringComparer.Ordinal);

    /// <summary>From now on a queue is looked at with each read.</summary>
    /// <returns>What is known of it; null where too many are followed.</returns>
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

    /// <summary>The queues that are followed, without those that nobody asks about any more.</summary>
    public IReadOnlyCollection<string> Followed()
    {
        foreach (var (queue, history) in _queues)
        {
            if (time.GetElapsedTime(history.AskedAt) > Memory)
                _queues.TryRemove(queue, out _);
        }

        return [.. _queues.Keys];
    }

    /// <summary>Notes what was read.</summary>
    /// <param name="queues">The queues whose finished tasks were counted.</param>
    /// <param name="backlog">What was read.</param>
    /// <param name="tiers">Its tiers by queue.</param>
    /// <param name="now">What was due was due by then.</param>
    /// <param name="stamp">The same moment by the clock that nobody sets.</param>
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

/// <summary>A queue at one time.</summary>
/// <param name="Stamp">When, by the clock that nobody sets.</param>
/// <param name="At">The same in UTC.</param>
/// <param name="Tiers">Tiers with tasks.</param>
/// <param name="Finished">Tasks that have completed or failed since the last purge, by tier.</param>
internal sealed record QueueSample(long Stamp, DateTime At, IReadOnlyList<TierBacklog> Tiers,
    IReadOnlyList<(int Tier, long Count)> Finished)
{
    /// <summary>The sums of a tier, or of all.</summary>
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

/// <summary>One queue over the last minute or so.</summary>
internal sealed class QueueHistory
{
    /// <summary>Samples nearer to each other than a part of the window tell nothing more.</summary>
    private const int MaxSamples = 30;

    private readonly Lock _lock = new();
    private readonly List<QueueSample> _samples = [];
    private long _askedAt;

    /// <summary>When somebody last asked.</summary>
    public long AskedAt
    {
        get => Volatile.Read(ref _askedAt);
        set => Volatile.Write(ref _askedAt, value);
    }

    /// <summary>
    /// Adds the newest sample. Of those older than the window one is kept, so that there is something to compare with where
    /// nobody asks for a while.
    /// </summary>
    public void Add(QueueSample sample, TimeProvider time)
    {
        lock (_lock)
        {
            // The newest is always there; the one before it stays only where it is far enough from its own predecessor.
            if (_samples.Count >= 2 && time.GetElapsedTime(_samples[^2].Stamp, _samples[^1].Stamp) < LoadHistory.Window / MaxSamples)
                _samples.RemoveAt(_samples.Count - 1);
            _samples.Add(sample);
            while (_samples.Count > 1
                && (time.GetElapsedTime(_samples[1].Stamp, sample.Stamp) >= LoadHistory.Window
                    || time.GetElapsedTime(_samples[0].Stamp, sample.Stamp) > LoadHistory.Memory))
                _samples.RemoveAt(0);
        }
    }

    /// <summary>Oldest first.</summary>
    public IReadOnlyList<QueueSample> Samples
    {
        get
        {
            lock (_lock)
                return [.. _samples];
        }
    }
}
