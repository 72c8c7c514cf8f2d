using TaskQueue.Engine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

/// <summary>Purges a queue in steps.</summary>
internal sealed partial class SqliteTaskStore
{
    // Only one part is read, from a mark on and in the order of an index.
    private static readonly string PurgedSql =
        $"""
        select * from (
            select id, {(int)TaskTable.Ready}, dedupe_key, ordering_key, tier, attempt, worker, priority, due_at, created_at from ready
            where @part = {(int)PurgePart.Waiting} and queue = @queue and not blocked and created_at < @before
              and (tier, priority, due_at, created_at, id) > (@tier, @priority, @at, @accepted, @id)
            order by tier, priority, due_at, created_at, id limit @max)
        union all select * from (
            select id, {(int)TaskTable.Ready}, dedupe_key, ordering_key, tier, attempt, worker, priority, due_at, created_at from ready
            where @part = {(int)PurgePart.Blocked} and queue = @queue and ordering_key is not null and blocked and created_at < @before
              and (ordering_key, due_at, created_at, id) > (@key, @at, @accepted, @id)
            order by ordering_key, due_at, created_at, id limit @max)
        union all select * from (
            select id, {(int)TaskTable.Running}, dedupe_key, ordering_key, tier, attempt, worker, 0, 0, 0 from running
            where @part = {(int)PurgePart.Running} and queue = @queue and created_at < @before and id > @id order by id limit @max)
        union all select * from (
            select o.id, {(int)TaskTable.Outcomes}, null, null, o.tier, o.attempt, o.worker, 0, o.finished_at, 0
            from outcomes o cross join tasks t on t.id = o.id
            where @part = {(int)PurgePart.Dead} and o.queue = @queue and o.dead and t.created_at < @before
              and (o.finished_at, o.id) > (@at, @id)
            order by o.finished_at, o.id limit @max)
        """;

    private static readonly string CancelWaitingSql = CancelIn(TaskTable.Ready), CancelRunningSql = CancelIn(TaskTable.Running);

    private const string LeaveWaitingSql = "delete from ready where id in (select value from json_each(@ids))";

    private const string LeaveRunningSql = "delete from running where id in (select value from json_each(@ids))";

    private const string DropDeadLettersSql =
        "update outcomes set delete_at = @now, dead = 0 where dead and id in (select value from json_each(@ids))";

    private static string CancelIn(TaskTable table) =>
        $"""
        insert into outcomes ({TaskColumn.List(TaskColumn.Outcomes)})
        select {string.Join(", ", TaskColumn.Outcomes.Select(Cancelled))}
        from {TaskMove.NameOf(table)} where id in (select value from json_each(@ids))
        """;

    private static string Cancelled(TaskColumn column) => column.Name switch
    {
        "state" => $"{TaskStates.Cancelled}",
        "finished_at" => "@now",
        "delete_at" => "case when batch_id is null then @now end",
        "result" => "null",
        "dead" => "0",
        _ => column.Name,
    };

    public Task<PurgedTasks> PurgeAsync(
        string queue, EventPolicy events, DateTime now, int max, DateTime acceptedBefore, PurgeMark from) =>
        UseAsync(
            () =>
            {
                var found = Query(PurgedSql,
                    r => new PurgedTask(r.GetGuid(0), (TaskTable)r.GetInt32(1), r.IsDBNull(2) ? null : r.GetString(2),
                        r.IsDBNull(3) ? null : r.GetString(3), r.GetInt32(4), r.GetInt32(5), r.IsDBNull(6) ? null : r.GetString(6),
                        new PurgeMark(from.Part, r.GetInt32(4), r.GetInt32(7), r.IsDBNull(3) ? "" : r.GetString(3),
                            Micros.ToTime(r.GetInt64(8)), Micros.ToTime(r.GetInt64(9)), r.GetGuid(0))),
                    ("@queue", queue), ("@before", Micros.FromTime(acceptedBefore)), ("@max", max), ("@part", (int)from.Part),
                    ("@tier", from.Tier), ("@priority", from.Priority), ("@key", from.Key), ("@at", Micros.FromTime(from.At)),
                    ("@accepted", Micros.FromTime(from.AcceptedAt)), ("@id", from.Id));
                var cancelled = found.FindAll(t => t.Place != TaskTable.Outcomes);
                Cancel(queue, cancelled, Micros.FromTime(now));
                if (events != EventPolicy.None)
                {
                    Append(cancelled.Select(t => new TaskEvent
                    {
                        TaskId = t.Id, Type = TaskEventType.Cancelled, Queue = queue, Tier = t.Tier, Attempt = t.Attempt,
                        Worker = t.Worker, At = now,
                    }));
                }

                var dead = Json(found.Where(t => t.Place == TaskTable.Outcomes).Select(t => t.Id));
                return new PurgedTasks(
                    cancelled.Count, Execute(DropDeadLettersSql, ("@now", Micros.FromTime(now)), ("@ids", dead)), found.Count,
                    found.Count < max ? from.NextPart : found[^1].Mark);
            },
            write: true);

    private void Cancel(string queue, List<PurgedTask> tasks, long now)
    {
        var waiting = Json(tasks.Where(t => t.Place == TaskTable.Ready).Select(t => t.Id));
        var running = Json(tasks.Where(t => t.Place == TaskTable.Running).Select(t => t.Id));
        Execute(CancelWaitingSql, ("@now", now), ("@ids", waiting));
        Execute(CancelRunningSql, ("@now", now), ("@ids", running));
        Execute(LeaveWaitingSql, ("@ids", waiting));
        Execute(LeaveRunningSql, ("@ids", running));
        foreach (var task in tasks.Where(t => t.DedupeKey is not null))
            ReleaseKey(queue, task.DedupeKey!, task.Id);
        Promote(TaskChanges.OrderingKeysOf(queue, tasks.Select(t => t.OrderingKey)));
    }

    /// <summary>A task that a purge found.</summary>
    private sealed record PurgedTask(
        Guid Id, TaskTable Place, string? DedupeKey, string? OrderingKey, int Tier, int Attempt, string? Worker, PurgeMark Mark);
}
