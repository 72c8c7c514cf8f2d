using System.Linq.Expressions;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Tasks;

/// <summary>The queries of <see cref="TaskList"/>.</summary>
internal static class TaskLists
{
    /// <summary>A list of what waits in more tiers is sorted as a whole.</summary>
    public const int MaxTiers = 4;

    private static readonly Priority[] Priorities = Enum.GetValues<Priority>();

    /// <summary>Up to <paramref name="max"/> tasks after a position, or before it if <paramref name="back"/>.</summary>
    /// <param name="tasks">What the caller sees.</param>
    /// <param name="queue">The queue.</param>
    /// <param name="list">The list.</param>
    /// <param name="from">The position, or null for the first page.</param>
    /// <param name="max">Maximum number of tasks.</param>
    /// <param name="back">Whether to go back.</param>
    /// <param name="tiers">Of <see cref="TaskList.Waiting"/>: the tiers of the queue; none sorts all that wait in the queue.</param>
    public static IQueryable<SizedTask> Page(
        TaskViewsOf tasks, string queue, TaskList list, TaskCursor? from, int max, bool back, params IReadOnlyList<int> tiers)
    {
        var waiting = tasks.Waiting.Where(t => t.Queue == queue);
        var (claimable, blocked) = (Claimable(waiting), Blocked(waiting));
        var running = tasks.Running.Where(t => t.Queue == queue);
        var dead = tasks.Ended.Where(t => t.Queue == queue && t.Dead);
        return list switch
        {
            // The index has the order of the list within a tier and priority, so as many ranges are read from their start.
            TaskList.Waiting when tiers.Count > 0 => ByDueTime(
                tiers.SelectMany(tier => Priorities.Select(p => Sized(claimable.Where(t => t.Tier == tier && t.Priority == p))))
                    .Aggregate((all, part) => all.Concat(part)), back).Take(max),
            TaskList.Waiting => Sized(claimable),
            TaskList.Running => Sized(running),
            TaskList.Dead => Sized(dead),
            // Each part is cut by itself, so that none is read whole.
            _ => Ordered(Sized(claimable).Concat(Sized(blocked)).Concat(Sized(running)).Concat(Sized(dead)), back).Take(max),
        };

        IQueryable<SizedTask> Sized(IQueryable<TaskState> part) => Page(part, list, from, max, back).Select(SizedTask.Of);
    }

    private static IQueryable<SizedTask> Ordered(IQueryable<SizedTask> tasks, bool back) =>
        back ? tasks.OrderByDescending(t => t.Id) : tasks.OrderBy(t => t.Id);

    private static IQueryable<SizedTask> ByDueTime(IQueryable<SizedTask> tasks, bool back) =>
        back ? tasks.OrderByDescending(t => t.DueAt).ThenByDescending(t => t.CreatedAt).ThenByDescending(t => t.Id)
            : tasks.OrderBy(t => t.DueAt).ThenBy(t => t.CreatedAt).ThenBy(t => t.Id);

    /// <summary>Waiting tasks that are not blocked: the condition of an index.</summary>
    public static IQueryable<TaskState> Claimable(IQueryable<TaskState> waiting) => waiting.Where(t => !t.Blocked);

    /// <summary>Waiting tasks behind the head of their ordering key: the condition of another.</summary>
    public static IQueryable<TaskState> Blocked(IQueryable<TaskState> waiting) => waiting.Where(t => t.Blocked && t.OrderingKey != null);

    private static IQueryable<TaskState> Page(IQueryable<TaskState> tasks, TaskList list, TaskCursor? from, int max, bool back) =>
        Ordered(tasks, list, from, back).Take(max);

    /// <remarks>The first part of each bound is one that an index can seek.</remarks>
    private static IQueryable<TaskState> Ordered(IQueryable<TaskState> tasks, TaskList list, TaskCursor? from, bool back) =>
        list switch
        {
            TaskList.Waiting => InClaimOrder(tasks, from, back),
            TaskList.Running =>
                Ordered(tasks, t =>
                    t.LeaseUntil,
                    Bound(from, back, (at, id) => t => t.LeaseUntil >= at && (t.LeaseUntil > at || t.CorrelationId > id),
                        (at, id) => t => t.LeaseUntil <= at && (t.LeaseUntil < at || t.CorrelationId < id)), back),
            TaskList.Dead =>
                Ordered(tasks, t =>
                    t.FinishedAt,
                    Bound(from, back, (at, id) => t => t.FinishedAt >= at && (t.FinishedAt > at || t.CorrelationId > id),
                        (at, id) => t => t.FinishedAt <= at && (t.FinishedAt < at || t.CorrelationId < id)), back),
            _ => Ordered(tasks, t =>
                t.CorrelationId, Bound(from, back, (_, id) => t => t.CorrelationId > id, (_, id) => t => t.CorrelationId < id), back),
        };

    /// <remarks>As above. A cursor without time of acceptance is before all tasks with its due time.</remarks>
    private static IQueryable<TaskState> InClaimOrder(IQueryable<TaskState> tasks, TaskCursor? from, bool back)
    {
        if (from is not null)
        {
            var (at, accepted, id) = (from.At, from.AcceptedAt ?? DateTime.UnixEpoch, from.Id);
            tasks = back
                ? tasks.Where(t => t.DueAt <= at && (t.DueAt < at || t.CreatedAt < accepted
                    || (t.CreatedAt == accepted && t.CorrelationId < id)))
                : tasks.Where(t => t.DueAt >= at && (t.DueAt > at || t.CreatedAt > accepted
                    || (t.CreatedAt == accepted && t.CorrelationId > id)));
        }

        return back ? tasks.OrderByDescending(t => t.DueAt).ThenByDescending(t => t.CreatedAt).ThenByDescending(t => t.CorrelationId)
            : tasks.OrderBy(t => t.DueAt).ThenBy(t => t.CreatedAt).ThenBy(t => t.CorrelationId);
    }

    private static IQueryable<TaskState> Ordered<T>(IQueryable<TaskState> tasks, Expression<Func<TaskState, T>> key,
        Expression<Func<TaskState, bool>>? bound, bool back)
    {
        if (bound is not null)
            tasks = tasks.Where(bound);
        return back ? tasks.OrderByDescending(key).ThenByDescending(t => t.CorrelationId) : tasks.OrderBy(key).ThenBy(t => t.CorrelationId);
    }

    private static Expression<Func<TaskState, bool>>? Bound(
        TaskCursor? from, bool back, Func<DateTime, Guid, Expression<Func<TaskState, bool>>> behind,
        Func<DateTime, Guid, Expression<Func<TaskState, bool>>> before) =>
        from is null ? null : back ? before(from.At, from.Id) : behind(from.At, from.Id);
}

/// <summary>The tasks that a caller sees, by where they are now.</summary>
internal sealed record TaskViewsOf(IQueryable<TaskState> Waiting, IQueryable<TaskState> Running, IQueryable<TaskState> Ended);
