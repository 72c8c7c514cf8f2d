using System.Linq.Expressions;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Tasks;

/// <summary>The queries of <see cref="TaskList"/>. Their conditions repeat those of the partial indexes.</summary>
internal static class TaskLists
{
    /// <summary>Up to <paramref name="max"/> tasks after a position, or before it if <paramref name="back"/>.</summary>
    public static IQueryable<TaskState> Page(IQueryable<TaskState> tasks, string queue, TaskList list, TaskCursor? from, int max, bool back)
    {
        tasks = tasks.Where(t => t.Queue == queue);
        return list switch
        {
            TaskList.Waiting => Page(Waiting(tasks), list, from, max, back),
            TaskList.Running => Page(Running(tasks), list, from, max, back),
            TaskList.Dead => Page(Dead(tasks), list, from, max, back),
            _ => Live(tasks, part => Page(part, list, from, max, back)),
        };
    }

    /// <summary>
    /// A single condition would scan the whole table: each part has an index of its own. None is ordered by id for running tasks, so these
    /// are looked up; otherwise SQLite scans all ids.
    /// </summary>
    private static IQueryable<TaskState> Live(IQueryable<TaskState> tasks, Func<IQueryable<TaskState>, IQueryable<TaskState>> page)
    {
        var running = Running(tasks).Select(t => t.CorrelationId);
        return page(page(Waiting(tasks)).Concat(page(Blocked(tasks))).Concat(page(tasks.Where(t => running.Contains(t.CorrelationId))))
            .Concat(page(Dead(tasks))));
    }

    public static IQueryable<TaskState> Waiting(IQueryable<TaskState> tasks) =>
        tasks.Where(t => (t.State == TaskStates.Pending || t.State == TaskStates.Retrying) && !t.Blocked);

    public static IQueryable<TaskState> Blocked(IQueryable<TaskState> tasks) =>
        tasks.Where(t => (t.State == TaskStates.Pending || t.State == TaskStates.Retrying) && t.Blocked && t.OrderingKey != null);

    public static IQueryable<TaskState> Running(IQueryable<TaskState> tasks) => tasks.Where(t => t.State == TaskStates.Running);

    private static IQueryable<TaskState> Dead(IQueryable<TaskState> tasks) => tasks.Where(t => t.Dead);

    private static IQueryable<TaskState> Page(IQueryable<TaskState> tasks, TaskList list, TaskCursor? from, int max, bool back) =>
        Ordered(tasks, list, from, back).Take(max);

    private static IQueryable<TaskState> Ordered(IQueryable<TaskState> tasks, TaskList list, TaskCursor? from, bool back) =>
        list switch
        {
            TaskList.Waiting =>
                Ordered(tasks, t =>
                    t.DueAt,
                    Bound(from, back, (at, id) => t => t.DueAt > at
                        || (t.DueAt == at && t.CorrelationId > id), (at, id) =>
                            t => t.DueAt < at || (t.DueAt == at && t.CorrelationId < id)), back),
            TaskList.Running =>
                Ordered(tasks, t =>
                    t.LeaseUntil,
                    Bound(from, back, (at, id) => t => t.LeaseUntil > at
                        || (t.LeaseUntil == at && t.CorrelationId > id), (at, id) =>
                            t => t.LeaseUntil < at || (t.LeaseUntil == at && t.CorrelationId < id)), back),
            TaskList.Dead =>
                Ordered(tasks, t =>
                    t.FinishedAt,
                    Bound(from, back, (at, id) => t => t.FinishedAt > at
                        || (t.FinishedAt == at && t.CorrelationId > id), (at, id) =>
                            t => t.FinishedAt < at || (t.FinishedAt == at && t.CorrelationId < id)), back),
            _ => Ordered(tasks, t =>
                t.CorrelationId, Bound(from, back, (_, id) => t => t.CorrelationId > id, (_, id) => t => t.CorrelationId < id), back),
        };

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
