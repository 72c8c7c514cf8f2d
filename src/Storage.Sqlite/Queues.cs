using TaskQueue.Engine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

/// <summary>Statements on whole queues. Each reads the waiting and the dead tasks of its queue through the partial indexes.</summary>
internal sealed partial class SqliteTaskStore
{
    private const string AddLimitSql = "insert into queue_limits (queue, bucket_base) values (@queue, 0) on conflict (queue) do nothing";

    private const string LimitRunningSql = "update running set limited = 1 where queue = @queue and not limited";

    private const string FillBucketSql = "update queue_limits set bucket_base = 0 where queue = @queue";

    private const string ForgetCountsSql = "delete from queue_counts where queue = @queue";

    // No index has all waiting tasks by queue: one has those that are not blocked, another those with an ordering key.
    private const string Adopted =
        """
        select id from ready where queue = @queue and not blocked and not push
        union all select id from ready where queue = @queue and ordering_key is not null and blocked and not push
        """;

    private const string AdoptTasksSql = $"update tasks set push = 1, ordering_key = null where id in ({Adopted})";

    // Ordering keys are cleared when the queue becomes a push queue: the broker has no such order.
    private const string AdoptSql =
        $"update ready set push = 1, dispatch_at = due_at, ordering_key = null, blocked = 0 where id in ({Adopted})";

    private const string RearmSql =
        """
        update ready set dispatch_at = max(due_at, @now)
        where queue = @queue and not blocked and push and dispatch_at is null
        """;

    private static readonly string PurgedSql =
        $"""
        select id, place, dedupe_key, ordering_key, tier, attempt, worker from (
            select id, {(int)TaskTable.Ready} as place, dedupe_key, ordering_key, tier, attempt, worker, created_at from ready
                where queue = @queue and not blocked
            union all select id, {(int)TaskTable.Ready}, dedupe_key, ordering_key, tier, attempt, worker, created_at from ready
                where queue = @queue and ordering_key is not null and blocked
            union all select id, {(int)TaskTable.Running}, dedupe_key, ordering_key, tier, attempt, worker, created_at from running
                where queue = @queue
            union all select o.id, {(int)TaskTable.Outcomes}, null, null, o.tier, o.attempt, o.worker, t.created_at
                from outcomes o join tasks t on t.id = o.id where o.queue = @queue and o.dead)
        where created_at < @before limit @max
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

    private const string StatsSql =
        """
        select
            (select count(*) from ready where queue = @queue and not blocked)
                + (select count(*) from ready where queue = @queue and ordering_key is not null and blocked),
            (select count(*) from running where queue = @queue),
            (select count(*) from outcomes where queue = @queue and dead and not coalesce(delete_at <= @now, 0)),
            (select coalesce(sum(count), 0) from queue_counts where queue = @queue and type = 3),
            (select coalesce(sum(count), 0) from queue_counts where queue = @queue and type = 7),
            (select min(due_at) from ready where queue = @queue and not blocked and due_at <= @now
                and (expires_at is null or expires_at > @now))
        """;

    // Only after all events of a task are published, which carry no copy of it. A task is deleted at or after its last event, so only those
    // deleted before the oldest unpublished event are looked at, however many wait for the dispatcher.
    // Groups commit in another order than their events happened: a minute makes up for that.
    private static readonly string RemoveSql =
        $"""
        select o.id, o.queue, o.dead, t.tags from outcomes o cross join tasks t on t.id = o.id
        where o.delete_at is not null and o.delete_at < min(@now + 1, coalesce((
            select at - 60000000 from outbox where id > (select published_to from outbox_partitions where id = {Partition})
            order by id limit 1),
            @now + 1))
        order by o.delete_at limit @max
        """;

    private const string RemoveTagSql = "delete from task_tags where tag = @tag and task_id = @task_id";

    private const string RemoveHistorySql = "delete from attempts where task_id = @id";

    private const string RemoveOutcomeSql = "delete from outcomes where id = @id";

    private const string RemoveTaskSql = "delete from tasks where id = @id";

    public Task AdoptAsync(string queue) =>
        UseAsync(() => Execute(AdoptTasksSql, ("@queue", queue)) + Execute(AdoptSql, ("@queue", queue)), write: true);

    public Task ApplyLimitsAsync(string queue) =>
        UseAsync(() => Execute(AddLimitSql, ("@queue", queue)) + Execute(LimitRunningSql, ("@queue", queue)), write: true);

    public Task RearmAsync(string queue, DateTime now) =>
        UseAsync(() => Execute(RearmSql, ("@queue", queue), ("@now", Micros.FromTime(now))), write: true);

    public Task<PurgedTasks> PurgeAsync(string queue, EventPolicy events, DateTime now, int max, DateTime acceptedBefore) =>
        UseAsync(
            () =>
            {
                var found = Query(PurgedSql,
                    r => new PurgedTask(r.GetGuid(0), (TaskTable)r.GetInt32(1), r.IsDBNull(2) ? null : r.GetString(2),
                        r.IsDBNull(3) ? null : r.GetString(3), r.GetInt32(4), r.GetInt32(5), r.IsDBNull(6) ? null : r.GetString(6)),
                    ("@queue", queue), ("@before", Micros.FromTime(acceptedBefore)), ("@max", max));
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
                    cancelled.Count, Execute(DropDeadLettersSql, ("@now", Micros.FromTime(now)), ("@ids", dead)), found.Count);
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
        Guid Id, TaskTable Place, string? DedupeKey, string? OrderingKey, int Tier, int Attempt, string? Worker);

    public Task ResetAsync(string queue) =>
        UseAsync(() => Execute(FillBucketSql, ("@queue", queue)) + Execute(ForgetCountsSql, ("@queue", queue)), write: true);

    public Task<QueueStats> StatsAsync(string queue, DateTime now) =>
        UseAsync(
            () => Query(StatsSql,
                r => new QueueStats(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), ReadTime(r, 5)),
                ("@queue", queue), ("@now", Micros.FromTime(now)))[0],
            write: false);

    public Task<int> RemoveDeletedAsync(DateTime now, int max) =>
        UseAsync(
            () =>
            {
                var gone = Query(RemoveSql, r => (Id: r.GetString(0), Queue: r.GetString(1), Dead: r.GetBoolean(2),
                    Tags: r.IsDBNull(3) ? null : r.GetString(3)), ("@now", Micros.FromTime(now)), ("@max", max));
                foreach (var task in gone)
                {
                    foreach (var tag in TaskTags.Split(task.Tags))
                        Execute(RemoveTagSql, ("@tag", tag), ("@task_id", task.Id));
                    Execute(RemoveHistorySql, ("@id", task.Id));
                    Execute(RemoveOutcomeSql, ("@id", task.Id));
                    Execute(RemoveTaskSql, ("@id", task.Id));
                }

                // A dead letter past its retention counts as expired (moab.md 4).
                Count([.. gone.Where(t => t.Dead).Select(t => new TaskEvent { Queue = t.Queue, Type = TaskEventType.Expired })]);
                return gone.Count;
            },
            write: true);
}
