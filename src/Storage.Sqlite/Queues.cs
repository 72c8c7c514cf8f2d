using System.Text.Json;
using TaskQueue.Engine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

/// <summary>Statements on whole queues. Each reads the rows of its queue through the partial indexes.</summary>
internal sealed partial class SqliteTaskStore
{
    private const string AddLimitSql = "insert into queue_limits (queue, bucket_base) values (@0, 0) on conflict (queue) do nothing";

    private const string LimitRunningSql = $"update tasks set limited = 1 where queue = @0 and state = {SqlStates.Running} and not limited";

    private const string DropDeadLettersSql =
        "update tasks set delete_at = @1, dead = 0 where dead and id in (select value from json_each(@0))";

    private const string FillBucketSql = "update queue_limits set bucket_base = 0 where queue = @0";

    private const string ForgetCountsSql = "delete from queue_counts where queue = @0";

    private const string StatsSql =
        $"""
        select
            (select count(*) from tasks where queue = @0 and state in {SqlStates.Waiting} and not blocked)
                + (select count(*) from tasks where queue = @0 and ordering_key is not null and state in {SqlStates.Waiting} and blocked),
            (select count(*) from tasks where queue = @0 and state = {SqlStates.Running}),
            (select count(*) from tasks where queue = @0 and dead and not coalesce(delete_at <= @1, 0)),
            (select coalesce(sum(count), 0) from queue_counts where queue = @0 and type = 3),
            (select coalesce(sum(count), 0) from queue_counts where queue = @0 and type = 7),
            (select min(due_at) from tasks where queue = @0 and state in {SqlStates.Waiting} and not blocked and due_at <= @1
                and (expires_at is null or expires_at > @1))
        """;

    private const string RemoveEventsSql = "delete from task_events where task_id = @0";

    private const string RemoveTaskSql = "delete from tasks where id = @0";

    // Not by queue alone: no index has finished tasks by queue, and the partial ones serve only their own condition. Ordering keys are
    // cleared when the queue becomes a push queue: the broker has no such order.
    private const string AdoptSql =
        $"""
        update tasks set push = 1, dispatch_at = due_at, ordering_key = null, blocked = 0
        where not push and state in {SqlStates.Waiting} and id in (
            select id from tasks where queue = @0 and state in {SqlStates.Waiting} and not blocked
            union all select id from tasks where queue = @0 and ordering_key is not null and state in {SqlStates.Waiting})
        """;

    private const string RearmSql =
        $"""
        update tasks set dispatch_at = max(due_at, @1)
        where queue = @0 and state in {SqlStates.Waiting} and not blocked and push and dispatch_at is null
        """;

    private const string PurgedSql =
        $"""
        select id, dead, ordering_key from tasks where id in (
            select id from (
                select id, created_at from tasks where queue = @0 and state in {SqlStates.Waiting} and not blocked
                union all select id, created_at from tasks
                    where queue = @0 and ordering_key is not null and state in {SqlStates.Waiting} and blocked
                union all select id, created_at from tasks where queue = @0 and state = {SqlStates.Running}
                union all select id, created_at from tasks where queue = @0 and dead)
            where created_at < @1 limit @2)
        """;

    private static readonly string CancelAllSql =
        $"""
        update tasks set state = {TaskStates.Cancelled}, finished_at = @1, delete_at = case when batch_id is null
            then @1 end, lease_until = null, dispatch_at = null, blocked = 0, limited = 0
        where state in {SqlStates.Unfinished} and id in (select value from json_each(@0))
        """;

    private static readonly string CancelledEventsSql =
        $"""
        insert into task_events (stream, task_id, type, queue, tier, attempt, worker, at, dispatch, frees)
        select {Stream}, id, {(int)TaskEventType.Cancelled}, queue, tier, attempt, worker, @1, 0, 0
        from tasks where state in {SqlStates.Unfinished} and id in (select value from json_each(@0))
        """;

    private const string RemoveSql =
        """
        select id, queue, dead from tasks t where delete_at is not null and delete_at <= @0
          and not exists (
            select 1 from task_events e join event_streams s on s.id = e.stream where e.task_id = t.id and e.id > s.cursor)
        order by delete_at limit @1
        """;

    public Task AdoptAsync(string queue) => UseAsync(() => Execute(AdoptSql, queue), write: true);

    public Task ApplyLimitsAsync(string queue) =>
        UseAsync(
            () => Execute(AddLimitSql, queue)
                + Execute(LimitRunningSql, queue),
            write: true);

    public Task RearmAsync(string queue, DateTime now) => UseAsync(() => Execute(RearmSql, queue, Micros.FromTime(now)), write: true);

    public Task<PurgedTasks> PurgeAsync(string queue, EventPolicy events, DateTime now, int max, DateTime acceptedBefore) =>
        UseAsync(
            () =>
            {
                var found = Query(PurgedSql,
                    r => (Id: r.GetString(0), Dead: r.GetBoolean(1), Key: r.IsDBNull(2) ? null : r.GetString(2)),
                    queue, Micros.FromTime(acceptedBefore), max);
                var (ids, at) = (JsonSerializer.Serialize(found.Select(t => t.Id)), Micros.FromTime(now));
                if (events != EventPolicy.None)
                    Execute(CancelledEventsSql, ids, at);
                var cancelled = Execute(CancelAllSql, ids, at);
                Execute(DropDeadLettersSql, ids, at);
                Promote(TaskChanges.OrderingKeysOf(queue, found.Select(t => t.Key)));
                return new PurgedTasks(cancelled, found.Count - cancelled, found.Count);
            },
            write: true);

    public Task ResetAsync(string queue) => UseAsync(() => Execute(FillBucketSql, queue) + Execute(ForgetCountsSql, queue), write: true);

    public Task<QueueStats> StatsAsync(string queue, DateTime now) =>
        UseAsync(
            () => Query(StatsSql,
                r => new QueueStats(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4),
                    ToTime(r.IsDBNull(5) ? null : r.GetInt64(5))),
                queue, Micros.FromTime(now))[0],
            write: false);

    public Task<int> RemoveDeletedAsync(DateTime now, int max) =>
        UseAsync(
            () =>
            {
                var gone = Query(RemoveSql, r =>
                    (Id: r.GetString(0), Queue: r.GetString(1), Dead: r.GetBoolean(2)), Micros.FromTime(now), max);
                foreach (var task in gone)
                {
                    Execute(RemoveEventsSql, task.Id);
                    Execute(RemoveTaskSql, task.Id);
                }

                // A dead letter past its retention counts as expired (moab.md 4).
                Append([.. gone.Where(t => t.Dead)
                    .Select(t => new TaskEvent { Queue = t.Queue, Type = TaskEventType.Expired, IsWritten = false })]);
                return gone.Count;
            },
            write: true);
}
