using System.Linq.Expressions;

namespace TaskQueue.Engine.Tasks;

/// <summary>The queries behind <see cref="TaskList"/>. Their conditions repeat those of the partial indexes.</summary>
internal static class TaskLists
{
    public static IQueryable<TaskState> Of(IQueryable<TaskState> tasks, string queue, TaskList list)
    {
        tasks = tasks.Where(t => t.Queue == queue);
        return list switch
        {
            TaskList.Waiting => Waiting(tasks),
            TaskList.Running => Running(tasks),
            TaskList.Dead => Dead(tasks),
            // One condition for all of them would read the whole table on PostgreSQL: each part has an index of its own.
            _ => Waiting(tasks).Concat(Held(tasks)).Concat(Running(tasks)).Concat(Dead(tasks)),
        };
    }

    public static IQueryable<TaskState> Waiting(IQueryable<TaskState> tasks) =>
        tasks.Where(t => (t.State == TaskStates.Pending || t.State == TaskStates.Retrying) && !t.Held);

    public static IQueryable<TaskState> Held(IQueryable<TaskState> tasks) =>
        tasks.Where(t => (t.State == TaskStates.Pending || t.State == TaskStates.Retrying) && t.Held && t.ThreadId != null);

    public static IQueryable<TaskState> Running(IQueryable<TaskState> tasks) => tasks.Where(t => t.State == TaskStates.Running);

    private static IQueryable<TaskState> Dead(IQueryable<TaskState> tasks) => tasks.Where(t => t.Dead);

    public static IQueryable<TaskState> Page(IQueryable<TaskState> tasks, TaskList list, TaskCursor? from, bool back) =>
        list switch
        {
            TaskList.Waiting => Page(tasks, t => t.DueAt, Bound(from, back, (at, id) => t => t.DueAt > at || (t.DueAt == at && t.CorrelationId > id), (at, id) => t => t.DueAt < at || (t.DueAt == at && t.CorrelationId < id)), back),
            TaskList.Running => Page(tasks, t => t.LeaseUntil, Bound(from, back, (at, id) => t => t.LeaseUntil > at || (t.LeaseUntil == at && t.CorrelationId > id), (at, id) => t => t.LeaseUntil < at || (t.LeaseUntil == at && t.CorrelationId < id)), back),
            TaskList.Dead => Page(tasks, t => t.FinishedAt, Bound(from, back, (at, id) => t => t.FinishedAt > at || (t.FinishedAt == at && t.CorrelationId > id), (at, id) => t => t.FinishedAt < at || (t.FinishedAt == at && t.CorrelationId < id)), back),
            _ => Page(tasks, t => t.CorrelationId, Bound(from, back, (_, id) => t => t.CorrelationId > id, (_, id) => t => t.CorrelationId < id), back),
        };

    private static IQueryable<TaskState> Page<T>(IQueryable<TaskState> tasks, Expression<Func<TaskState, T>> key, Expression<Func<TaskState, bool>>? bound, bool back)
    {
        if (bound is not null)
            tasks = tasks.Where(bound);
        return back ? tasks.OrderByDescending(key).ThenByDescending(t => t.CorrelationId) : tasks.OrderBy(key).ThenBy(t => t.CorrelationId);
    }

    private static Expression<Func<TaskState, bool>>? Bound(
        TaskCursor? from, bool back, Func<DateTime, Guid, Expression<Func<TaskState, bool>>> behind, Func<DateTime, Guid, Expression<Func<TaskState, bool>>> before) =>
        from is null ? null : back ? before(from.At, from.Id) : behind(from.At, from.Id);
}
