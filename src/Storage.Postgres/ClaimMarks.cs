using System.Collections.Concurrent;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

/// <summary>
/// Low-water marks of claims: up to where this process has claimed each queue, tier and priority. A claim searches from there, and so does
/// not read again the rows that claims deleted before, which an old snapshot may keep in the index for hours. Every
/// <see cref="LookInterval.Shortest"/>, or later where that is expensive, one claim searches from the beginning, for tasks that another
/// process let wait again at an earlier time.
/// </summary>
internal sealed class ClaimMarks
{
    /// <summary>Longest time from the due time of a new task to its commit by another process, normally.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(250);

    private static readonly Priority[] Priorities = [Priority.Critical, Priority.High, Priority.Normal, Priority.Low];

    /// <summary>Most marks; they are hints, so all may be forgotten.</summary>
    private const int MostMarks = 20_000;

    private readonly ConcurrentDictionary<(string Queue, int Tier, Priority Priority), Mark> _marks = new();
    private long _latest; // ticks of the latest claim
    private int _forgotten; // how often marks were lowered, also those that a claim under way is about to set

    /// <summary>The parts of a search, in the order of a claim.</summary>
    public List<Part> PartsOf(IReadOnlyList<QueueTier> targets, DateTime now)
    {
        Remember(now);
        if (_marks.Count > MostMarks)
            _marks.Clear();
        var forgotten = Volatile.Read(ref _forgotten);
        var parts = new List<Part>(targets.Count * Priorities.Length);
        foreach (var target in targets)
        {
            foreach (var priority in Priorities)
            {
                var key = (target.Queue, target.Tier, priority);
                var mark = _marks.GetValueOrDefault(key);
                var isFull = mark is null || mark.Looked.IsOver(now);
                if (isFull && mark is not null)
                {
                    // Only one claim looks: the others would all read the same dead rows.
                    var begun = new Mark(mark.From, mark.Looked.Begin(now));
                    isFull = _marks.TryUpdate(key, begun, mark);
                    mark = isFull ? begun : mark;
                }

                parts.Add(new Part(target, priority, isFull ? DateTime.UnixEpoch : mark!.From, isFull, mark, forgotten));
            }
        }

        return parts;
    }

    /// <summary>Remembers where a claim ended.</summary>
    /// <param name="parts">The parts it searched, one after the other until it had enough.</param>
    /// <param name="claimed">What it got.</param>
    /// <param name="dueBy">Up to which due time it searched.</param>
    /// <param name="now">When it was made.</param>
    /// <param name="cost">How long it took.</param>
    public void Claimed(List<Part> parts, IReadOnlyCollection<TaskState> claimed, DateTime dueBy, DateTime now, TimeSpan cost)
    {
        var first = new Dictionary<(string, int, Priority), DateTime>();
        foreach (var task in claimed)
        {
            var key = (task.Queue, task.Tier, task.Priority);
            if (!first.TryGetValue(key, out var due) || task.DueAt < due)
                first[key] = task.DueAt;
        }

        var left = first.Count;
        foreach (var part in parts)
        {
            var key = (part.Target.Queue, part.Target.Tier, part.Priority);
            var reached = first.GetValueOrDefault(key, dueBy);
            if (first.ContainsKey(key))
                left--;
            else if (left == 0 && first.Count > 0)
                return; // perhaps it had enough before this part
            var from = reached < now - Slack ? reached : now - Slack;
            var looked = part.Mark?.Looked ?? default(LookInterval).Begin(now);
            var mark = new Mark(from > part.From ? from : part.From, part.IsFull ? looked.End(cost) : looked);
            if (part.Mark is null && part.Forgotten == Volatile.Read(ref _forgotten))
                _marks.TryAdd(key, mark);
            else if (part.Mark is not null)
                _marks.TryUpdate(key, mark, part.Mark); // whoever has lowered it since is right
        }
    }

    /// <summary>
    /// Lowers the marks to tasks that wait since a commit. A claim that has not seen them may still be under way, but it raises no mark
    /// to less than <see cref="Slack"/> before it began.
    /// </summary>
    public void Lower(TaskState waiting)
    {
        if (waiting.DueAt < Safe)
            _marks[(waiting.Queue, waiting.Tier, waiting.Priority)] = new Mark(DateTime.UnixEpoch, default);
    }

    /// <summary>Lowers the marks to tasks of another process.</summary>
    public void Lower(QueueTier target, DateTime firstDue)
    {
        if (firstDue >= Safe)
            return;
        Interlocked.Increment(ref _forgotten);
        foreach (var priority in Priorities)
            _marks[(target.Queue, target.Tier, priority)] = new Mark(DateTime.UnixEpoch, default);
    }

    /// <summary>Forgets the marks of a queue, some of whose tasks may wait since a commit, due at any time.</summary>
    public void Forget(string queue)
    {
        Interlocked.Increment(ref _forgotten);
        foreach (var key in _marks.Keys.Where(k => k.Queue == queue))
            _marks[key] = new Mark(DateTime.UnixEpoch, default);
    }

    /// <summary>No mark of a claim that is under way will be later.</summary>
    private DateTime Safe => new DateTime(Math.Max(Interlocked.Read(ref _latest), Slack.Ticks), DateTimeKind.Utc) - Slack;

    private void Remember(DateTime now)
    {
        var latest = Interlocked.Read(ref _latest);
        while (now.Ticks > latest)
        {
            var before = Interlocked.CompareExchange(ref _latest, now.Ticks, latest);
            if (before == latest)
                return;
            latest = before;
        }
    }

    /// <summary>A part of a search.</summary>
    internal sealed record Part(QueueTier Target, Priority Priority, DateTime From, bool IsFull, Mark? Mark, int Forgotten);

    /// <summary>Where to search from, and when the part was last searched from its beginning.</summary>
    internal sealed class Mark(DateTime from, LookInterval looked)
    {
        public DateTime From { get; } = from;

        public LookInterval Looked { get; } = looked;
    }
}
