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
        select o.id, o.queue, o.dead, t.tags, o.owner from outcomes o cross join tasks t on t.id = o.id
        where o.delete_at is not null and o.delete_at < min(@now + 1, coalesce((
            select at - 60000000 from outbox where id > (select published_to from outbox_partitions where id = {Partition})
            order by id limit 1),
            @now + 1))
        order by o.delete_at limit @max
        """;

    private const string RemoveTagSql = "delete from task_tags where tag = @tag and task_id = @task_id";

    private const string RemoveHistorySql = "delete from attempts where task_id = @id";

    private const string RemoveLogsSql = "delete from task_logs where task_id = @id";

    private const string RemoveOutcomeSql = "delete from outcomes where id = @id";

    private const string RemoveTaskSql = "delete from tasks where id = @id";

    public Task AdoptAsync(string queue) =>
        UseAsync(() => Execute(AdoptTasksSql, ("@queue", queue)) + Execute(AdoptSql, ("@queue", queue)), write: true);

    public Task ApplyLimitsAsync(string queue) =>
        UseAsync(() => Execute(AddLimitSql, ("@queue", queue)) + Execute(LimitRunningSql, ("@queue", queue)), write: true);

    public Task RearmAsync(string queue, DateTime now) =>
        UseAsync(() => Execute(RearmSql, ("@queue", queue), ("@now", Micros.FromTime(now))), write: true);

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
                    Tags: r.IsDBNull(3) ? null : r.GetString(3), Owner: r.IsDBNull(4) ? null : r.GetString(4)),
                    ("@now", Micros.FromTime(now)), ("@max", max));
                foreach (var task in gone)
                {
                    foreach (var tag in TaskTags.Split(task.Tags))
                        Execute(RemoveTagSql, ("@tag", tag), ("@task_id", task.Id));
                    Execute(RemoveHistorySql, ("@id", task.Id));
                    Execute(RemoveLogsSql, ("@id", task.Id));
                    Execute(RemoveOutcomeSql, ("@id", task.Id));
                    Execute(RemoveTaskSql, ("@id", task.Id));
                }

                // A dead letter past its retention counts as expired (moab.md 4).
                Count([.. gone.Where(t => t.Dead).Select(t =>
                    new TaskEvent { Queue = t.Queue, Type = TaskEventType.Expired, Owner = t.Owner })]);
                return gone.Count;
            },
            write: true);
}
