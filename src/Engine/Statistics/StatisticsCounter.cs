using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace TaskQueue.Engine.Statistics;

/// <summary>
/// Counts in memory what this process has committed, by queue, owner and minute of the database. <see cref="StatisticsFlush"/> writes it.
/// A caller counts a whole group under one lock, and a task costs no allocation.
/// </summary>
public sealed partial class StatisticsCounter(IOptions<StatisticsOptions> options, ILogger<StatisticsCounter> logger)
{
    /// <summary>Minutes that may wait for an unreachable database, as a multiple of the series of one; the oldest are dropped.</summary>
    private const int MaxMinutes = 10;

    /// <summary>Queues of an owner that are counted apart in any case.</summary>
    private const int MinOfOwner = 100;

    private readonly Lock _lock = new();
    private readonly HashSet<(string Queue, string Owner)> _pairs = [];
    private readonly Dictionary<string, int> _owners = new(StringComparer.Ordinal); // pairs of each
    private readonly HashSet<string> _queues = new(StringComparer.Ordinal);
    private Dictionary<(string Queue, string Owner, long Minute), long[]> _counts = [];
    private long _minute; // ticks; of the names in _pairs and _queues
    private bool _isFull;

    /// <summary>Begins to count; disposing it ends that. Nothing is counted if statistics are off.</summary>
    internal Group Begin() => new(options.Value.Enabled ? this : null);

    /// <summary>The counts since the last call.</summary>
    internal IReadOnlyList<MinuteCounts> Take()
    {
        lock (_lock)
        {
            if (_counts.Count == 0)
                return [];
            var taken = _counts;
            _counts = new(taken.Count);
            return [.. taken.Select(c =>
                new MinuteCounts(c.Key.Queue, c.Key.Owner, new DateTime(c.Key.Minute, DateTimeKind.Utc), c.Value))];
        }
    }

    /// <summary>Counts that could not be written are written with the next ones.</summary>
    internal void PutBack(IEnumerable<MinuteCounts> unwritten)
    {
        lock (_lock)
        {
            foreach (var (queue, owner, minute, counts) in unwritten.OrderByDescending(c => c.Minute))
            {
                if (_counts.TryGetValue((queue, owner, minute.Ticks), out var newer))
                {
                    for (var i = 0; i < counts.Length; i++)
                        newer[i] += counts[i];
                }
                else if (_counts.Count < MaxMinutes * options.Value.MaxSeries)
                {
                    _counts.Add((queue, owner, minute.Ticks), counts);
                }
            }
        }
    }

    private long[]? Find(string queue, string owner, long minute)
    {
        if (_counts.TryGetValue((queue, owner, minute), out var known))
            return known;
        if (minute > _minute)
        {
            (_minute, _isFull) = (minute, false);
            _pairs.Clear();
            _owners.Clear();
            _queues.Clear();
        }

        if (!_pairs.Contains((queue, owner)) && owner.Length > 0 && queue.Length > 0 && _owners.GetValueOrDefault(owner) >= MaxOfOwner)
            return Find("", owner, minute);
        if (!TryName(queue, owner))
        {
            if (owner.Length > 0)
                return Find(queue, "", minute);
            if (!_queues.Contains(queue) && !(_queues.Count < options.Value.MaxSeries && _queues.Add(queue)))
            {
                if (!_isFull)
                    LogFull(options.Value.MaxSeries);
                _isFull = true;
                return null;
            }
        }

        return _counts[(queue, owner, minute)] = new long[StatisticsCounts.Length];
    }

    /// <summary>Queues of one owner that are counted apart, so that it does not take the room of the others.</summary>
    private int MaxOfOwner => Math.Max(MinOfOwner, options.Value.MaxSeries / 10);

    private bool TryName(string queue, string owner)
    {
        if (_pairs.Contains((queue, owner)))
            return true;
        if (_pairs.Count >= options.Value.MaxSeries)
            return false;
        _pairs.Add((queue, owner));
        if (owner.Length > 0)
            _owners[owner] = _owners.GetValueOrDefault(owner) + 1;
        return true;
    }

    /// <summary>Counts of one commit. Tasks of a group are often of one queue, which is looked up once.</summary>
    internal ref struct Group
    {
        private readonly StatisticsCounter? _counter;
        private string _queue = "", _owner = "";
        private long _minute;
        private long[]? _counts;

        public Group(StatisticsCounter? counter)
        {
            _counter = counter;
            counter?._lock.Enter();
        }

        /// <summary>Counts something that happened to tasks.</summary>
        public void Add(string queue, string? owner, int what, DateTime at, int count = 1)
        {
            if (Counts(queue, owner ?? "", at) is { } counts)
                counts[what] += count;
        }

        /// <summary>Counts the end of an attempt.</summary>
        public void AddRun(string queue, string? owner, DateTime at, TimeSpan ran)
        {
            if (Counts(queue, owner ?? "", at) is not { } counts)
                return;
            counts[StatisticsCounts.Runs]++;
            counts[StatisticsCounts.RunMicros] += Math.Max(0, ran.Ticks / TimeSpan.TicksPerMicrosecond);
            counts[StatisticsCounts.Buckets + RunTimes.BucketOf(ran)]++;
        }

        public readonly void Dispose() => _counter?._lock.Exit();

        private long[]? Counts(string queue, string owner, DateTime at)
        {
            if (_counter is null)
                return null;
            var minute = at.Ticks - (at.Ticks % TimeSpan.TicksPerMinute);
            if (minute != _minute || !string.Equals(queue, _queue, StringComparison.Ordinal)
                || !string.Equals(owner, _owner, StringComparison.Ordinal))
                (_queue, _owner, _minute, _counts) = (queue, owner, minute, _counter.Find(queue, owner, minute));
            return _counts;
        }
    }

    [LoggerMessage(LogLevel.Warning,
        "More than {Max} queues have tasks; the statistics of this minute lack the others (TaskQueue:Statistics:MaxSeries)")]
    private partial void LogFull(int max);
}
