using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// What happened to the tasks of a queue, in the order in which the database agreed to it: ids of events are drawn after
/// the locks that a transition needs and before its commit, so a transition that depends on another has the higher one.
/// </summary>
internal sealed class CrashHistory
{
    private readonly Dictionary<Guid, TaskState> _tasks;
    private readonly List<TaskEvent> _events;

    private CrashHistory(Dictionary<Guid, TaskState> tasks, List<TaskEvent> events)
    {
        _tasks = tasks;
        _events = events;
    }

    public static async Task<CrashHistory> ReadAsync(TestDatabase database, string queue)
    {
        await using var db = database.CreateContext();
        return new CrashHistory(
            await db.Tasks.AsNoTracking().Where(t => t.Queue == queue).ToDictionaryAsync(t => t.CorrelationId),
            [.. (await db.EventsAsync()).Where(e => e.Queue == queue)]);
    }

    public IReadOnlyCollection<Guid> Ids => _tasks.Keys;

    /// <summary>Number of started attempts.</summary>
    public int Starts => _events.Count(e => e.Type == TaskEventType.Started);

    /// <summary>Every broken guarantee, as text.</summary>
    public IEnumerable<string> Faults(int? maxRunning = null, RateLimit? rate = null) =>
        Ends().Concat(Attempts()).Concat(Turns()).Concat(Keys()).Concat(maxRunning is { } max ? Limit(max) : [])
            .Concat(rate is null ? [] : Rate(rate));

    /// <summary>Each task reached one terminal state, the one in its row.</summary>
    private IEnumerable<string> Ends()
    {
        var ends = _events.Where(e => TaskEvent.IsTerminal(e.Type)).ToLookup(e => e.TaskId);
        foreach (var (id, task) in _tasks)
        {
            if (!TaskStates.IsTerminal(task.State))
                yield return $"{id} is {TaskStates.Word(task.State)}";
            else if (ends[id].Select(e => e.Type.ToString().ToLowerInvariant()).ToList() is not [var end]
                || end != TaskStates.Word(task.State))
                yield return $"{id} is {TaskStates.Word(task.State)} and ended {string.Join(", ", ends[id].Select(e => e.Type))}";
        }
    }

    /// <summary>An attempt starts only when the previous one is over, and has the next number: no two leases at a time.</summary>
    private IEnumerable<string> Attempts()
    {
        var running = new Dictionary<Guid, int>();
        foreach (var e in _events)
        {
            if (e.Type == TaskEventType.Started && !running.TryAdd(e.TaskId, e.Attempt))
                yield return $"{e.TaskId} began attempt {e.Attempt} while {running[e.TaskId]} ran";
            else if (Leaves(e) && running.Remove(e.TaskId, out var attempt) && attempt != e.Attempt)
                yield return $"{e.TaskId}: attempt {attempt} ran and {e.Attempt} ended";
        }

        foreach (var starts in _events.Where(e => e.Type == TaskEventType.Started).GroupBy(e => e.TaskId))
        {
            if (!starts.Select(e => e.Attempt).SequenceEqual(Enumerable.Range(1, starts.Count())))
                yield return $"{starts.Key} had attempts {string.Join(", ", starts.Select(e => e.Attempt))}";
        }
    }

    /// <summary>With an ordering key one task runs at a time, and among tasks that never waited again the earlier starts first.</summary>
    private IEnumerable<string> Turns()
    {
        var running = new Dictionary<string, Guid>();
        var steady = _events.Where(e => e.Type is TaskEventType.Retrying or TaskEventType.Snoozed).Select(e => e.TaskId).ToHashSet();
        var last = new Dictionary<string, TaskState>();
        foreach (var e in _events.Where(e => _tasks[e.TaskId].OrderingKey is not null))
        {
            var task = _tasks[e.TaskId];
            if (Leaves(e) && running.GetValueOrDefault(task.OrderingKey!) == e.TaskId)
                running.Remove(task.OrderingKey!);
            if (e.Type != TaskEventType.Started)
                continue;
            if (!running.TryAdd(task.OrderingKey!, e.TaskId))
                yield return $"{e.TaskId} began while {running[task.OrderingKey!]} with the same ordering key ran";
            if (steady.Contains(e.TaskId))
                continue;
            if (last.TryGetValue(task.OrderingKey!, out var before)
                && (before.CreatedAt, before.CorrelationId).CompareTo((task.CreatedAt, task.CorrelationId)) > 0)
                yield return $"{e.TaskId} began after {before.CorrelationId} with the same ordering key, which came later";
            last[task.OrderingKey!] = task;
        }
    }

    /// <summary>At most one task per key waits or runs.</summary>
    private IEnumerable<string> Keys()
    {
        var holders = new Dictionary<string, Guid>();
        foreach (var e in _events.Where(e => _tasks[e.TaskId].DedupeKey is not null))
        {
            var key = _tasks[e.TaskId].DedupeKey!;
            if (e.Type == TaskEventType.Submitted && !holders.TryAdd(key, e.TaskId))
                yield return $"{e.TaskId} was accepted while {holders[key]} had its key";
            else if (TaskEvent.IsTerminal(e.Type) && holders.GetValueOrDefault(key) == e.TaskId)
                holders.Remove(key);
        }
    }

    /// <summary>By the times of the claims, in whatever order they arrived, each found a token.</summary>
    private IEnumerable<string> Rate(RateLimit rate)
    {
        var empty = long.MinValue; // the time at which the bucket was empty, in effect
        foreach (var at in _events.Where(e => e.Type == TaskEventType.Started).Select(e => Micros.FromTime(e.At) * 1000).Order())
        {
            empty = Math.Max(empty, at - (rate.MaxTokens * rate.PeriodNs)) + rate.PeriodNs;
            if (empty > at)
                yield return $"a task began at {at} ns, and the next token came {empty - at} ns later";
        }
    }

    private IEnumerable<string> Limit(int max)
    {
        var running = new HashSet<Guid>();
        foreach (var e in _events)
        {
            if (e.Type == TaskEventType.Started && running.Add(e.TaskId) && running.Count > max)
                yield return $"{running.Count} ran at event {e.Id}";
            else if (Leaves(e))
                running.Remove(e.TaskId);
        }
    }

    private static bool Leaves(TaskEvent e) => TaskEvent.IsTerminal(e.Type) || e.Type is TaskEventType.Retrying or TaskEventType.Snoozed;
}
