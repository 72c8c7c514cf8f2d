using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

internal sealed partial class SqlServerTaskStore
{
    // Two lists with the same dedupe keys lock them in the same order, as far as SQL Server follows it.
    private static readonly Statement InsertTasksSql = new(InsertText(order: "r.queue, r.dedupe_key, r.id"), Json("@rows"));

    // The event is created from the inserted row, so an existing task gets none. The partition is locked after the last row, and before the
    // first event draws its id.
    private static readonly Statement InsertWithEventsSql = new(
        $"""
        {AllOrNothing}
        declare @inserted table (id binary(16), queue nvarchar(128) collate {SqlServerTaskDbContext.Collation}, tier int, attempt int,
            created_at datetime2(6), due_at datetime2(6), dispatch_at datetime2(6));
        {InsertText(
            "r.id",
            ", inserted.queue, inserted.tier, inserted.attempt, inserted.created_at, inserted.due_at, inserted.dispatch_at into @inserted")}
        select id from @inserted;
        if not exists (select 1 from @inserted) return;
        {LockStreamText}
        insert into task_events (stream, task_id, type, queue, tier, attempt, at, due_at, dispatch, frees)
        select @stream, id, case when s.queue is null then {(int)TaskEventType.Submitted} else {(int)TaskEventType.Dispatched} end,
            i.queue, tier, attempt, created_at, due_at, case when dispatch_at > due_at then 1 else 0 end, 0
        from @inserted i left join {Rows.Table("@silent", "queue nvarchar(128)")} as s on s.queue = i.queue
        where s.queue is null or dispatch_at > due_at;
        """,
        Json("@rows"), Int("@stream"), Json("@silent"));

    // Leaves existing ids and dedupe keys unchanged. One that another transaction is writing is not visible: the insert waits for it at the
    // unique index and fails, and the whole transaction is retried.
    private static string InsertText(string order, string into = "") =>
        $"""
        insert into tasks ({TaskColumn.List(TaskColumn.All)})
        output inserted.id{into}
        select {TaskColumn.List(TaskColumn.All, "r.")} from {Rows.Table("@rows", TaskColumn.All)} as r
        where not exists (select 1 from tasks t where t.id = r.id)
          and not exists (
            select 1 from tasks h where h.queue = r.queue and h.dedupe_key = r.dedupe_key and h.dedupe_key is not null
                and h.state in {SqlStates.Unfinished})
        order by {order};
        """;

    public async Task<IReadOnlyList<SubmitResult>?> InsertAsync(IReadOnlyList<NewTask> tasks, InsertStep? step = null) =>
        step is null && tasks.All(t => t.Task is { DedupeKey: null, OrderingKey: null })
            ? await InsertPlainAsync(tasks)
            : (await InTransactionAsync((connection, transaction) => InsertOrderedAsync(connection, transaction, tasks, step))).Answers;

    /// <summary>Inserts tasks that can conflict only by their id.</summary>
    private Task<List<SubmitResult>> InsertPlainAsync(IReadOnlyList<NewTask> tasks)
    {
        List<TaskState> distinct = [.. tasks.Select(t => t.Task).DistinctBy(t => t.CorrelationId)];
        var rows = Rows.Json(TaskColumn.All, distinct);
        var silent = Rows.Json(distinct.Where(t => t.Settings.Events != EventPolicy.All).Select(t => t.Queue).Distinct()
            .Select(q => (object?[])[q]));
        return InTransactionAsync(async (connection, transaction) =>
        {
            HashSet<Guid> inserted = [.. await ReadAsync(connection, transaction, InsertWithEventsSql, r =>
                StoredValue.Id(r, 0), rows, PickStream(), silent)];
            var taken = inserted.Count == distinct.Count ? []
                : await ExistingAsync(connection, transaction, distinct.Where(t => !inserted.Contains(t.CorrelationId)));
            var answers = Answer(tasks, inserted, taken);
            await transaction.CommitAsync();
            return answers;
        });
    }

    /// <summary>Of two tasks with the same id, the first is the inserted one.</summary>
    private static List<SubmitResult> Answer(IReadOnlyList<NewTask> tasks, HashSet<Guid> inserted, Dictionary<Guid, TakenId> taken) =>
        [.. tasks.Select(t => inserted.Remove(t.Task.CorrelationId) ? new SubmitResult(t.Task.CorrelationId, SubmitStatus.Accepted, t.Task)
            : taken.TryGetValue(t.Task.CorrelationId, out var other) && !other.Is(t.Task)
                ? throw new TaskIdConflictException(t.Task.CorrelationId)
            : new SubmitResult(t.Task.CorrelationId, SubmitStatus.IdTaken, null))];
}
