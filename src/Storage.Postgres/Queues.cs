using Npgsql;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Hosting;

namespace TaskQueue.Storage.Postgres;

/// <summary>Statements on whole queues. Each reads the rows of its queue through the partial indexes.</summary>
internal sealed partial class PostgresTaskStore
{
    private const string AddLimitSql = "insert into queue_limits (queue, bucket_base) values ($1, 0) on conflict (queue) do nothing";

    private const string FillBucketSql = "update queue_limits set bucket_base = 0 where queue = $1";

    // In the order in which transactions count.
    private const string ForgetCountsSql =
        """
        with found as (
            select 1 from queue_counts where queue = $1 order by tier, partition_id, type, owner for update)
        delete from queue_counts where queue = $1 and (select count(*) from found) > 0
        """;

    // Rows are locked in id order before they are changed: an update alone would lock them in index order. Ordering keys are cleared when
    // the queue becomes a push queue: the broker has no such order.
    private const string AdoptSql =
        """
        with found as (
            select id from ready where not push and id = any(array(
                select id from ready where queue = $1 and not blocked
                union all select id from ready where queue = $1 and ordering_key is not null and blocked))
            order by id for update),
        submitted as (
            update tasks set push = true, ordering_key = null where id = any(array(select id from found)))
        update ready set push = true, dispatch_at = due_at, ordering_key = null, blocked = false
        where id = any(array(select id from found))
        """;

    private const string RearmSql =
        """
        with found as (
            select id from ready where queue = $1 and not blocked and push and dispatch_at is null order by id for update)
        update ready set dispatch_at = greatest(due_at, $2) where id = any(array(select id from found))
        """;

    private const string LimitRunningSql =
        """
        with found as (select id from running where queue = $1 and not limited order by id for update)
        update running set limited = true where id = any(array(select id from found))
        """;

    private const string StatsSql =
        """
        select
            (select count(*) from ready where queue = $1 and not blocked)
                + (select count(*) from ready where queue = $1 and ordering_key is not null and blocked),
            (select count(*) from running where queue = $1),
            (select count(*) from outcomes where queue = $1 and dead and not coalesce(delete_at <= $2, false)),
            (select coalesce(sum(count), 0)::bigint from queue_counts where queue = $1 and type = 3),
            (select coalesce(sum(count), 0)::bigint from queue_counts where queue = $1 and type = 7),
            (select min(due_at) from ready where queue = $1 and not blocked and due_at <= $2 and (expires_at is null or expires_at > $2))
        """;

    // Only after all events of a task are published, which carry no copy of it. A task is deleted at or after its last event, so only those
    // deleted before the oldest unpublished event are looked at, however many wait for the dispatcher. Events are in order of their
    // commits, and of several clocks: a minute makes up for that.
    // A row that changed after the statement had begun is found by the next one.
    private const string RemoveSql =
        """
        with unpublished as (
            select min(o.at) as oldest from outbox_partitions s cross join lateral (
                select at from outbox o where o.partition_id = s.id and o.id > s.published_to order by o.id limit 1) as o),
        found as (
            select ctid as place from outcomes
            where delete_at >= $3 and delete_at <= $1
              and delete_at < coalesce((select oldest - interval '1 minute' from unpublished), 'infinity'::timestamptz)
            order by delete_at limit $2 for update skip locked),
        gone as (
            delete from outcomes where ctid = any(array(select place from found))
            returning id, queue, coalesce(owner, '') as owner, dead, delete_at),
        history as (delete from attempts where task_id = any(array(select id from gone))),
        logs as (delete from task_logs where task_id = any(array(select id from gone))),
        submitted as (delete from tasks where id = any(array(select id from gone)) returning id, tags),
        untagged as (
            delete from task_tags where ctid = any(array(
                select k.place from submitted s cross join unnest(string_to_array(s.tags, ',')) as n(tag) cross join lateral (
                    select k.ctid as place from task_tags k where k.tag = n.tag and k.task_id = s.id offset 0) as k
                where s.tags is not null)))
        select queue, dead, count(*), max(delete_at), owner from gone group by queue, dead, owner
        """;

    private static readonly string CountExpiredSql =
        $"""
        with locked as (select pg_advisory_xact_lock({LockSpace}, $1))
        insert into queue_counts (queue, tier, partition_id, type, owner, count)
        select u.queue, 0, $1, {(int)TaskEventType.Expired}, u.owner, u.count
        from locked, unnest($2, $3, $4) as u(queue, owner, count) order by u.queue, u.owner
        on conflict (queue, tier, partition_id, type, owner) do update set count = queue_counts.count + excluded.count
        """;

    private readonly RemovalMark _removed = new();

    public Task AdoptAsync(string queue) => RunAsync(AdoptSql, () => [Value(queue)]);

    public async Task ApplyLimitsAsync(string queue)
    {
        await RunAsync(AddLimitSql, () => [Value(queue)]);
        await RunAsync(LimitRunningSql, () => [Value(queue)]);
    }

    public Task RearmAsync(string queue, DateTime now) => RunAsync(RearmSql, () => [Value(queue), Value(now)]);

    public async Task ResetAsync(string queue)
    {
        await RunAsync(FillBucketSql, () => [Value(queue)]);
        await RunAsync(ForgetCountsSql, () => [Value(queue)]);
    }

    public async Task<QueueStats> StatsAsync(string queue, DateTime now)
    {
        await using var command = source.CreateCommand(StatsSql);
        command.CommandTimeout = StorageRegistration.LongCommandSeconds;
        command.Parameters.Add(Value(queue));
        command.Parameters.Add(Value(now));
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return new QueueStats(reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3), reader.GetInt64(4),
            await reader.IsDBNullAsync(5) ? null : reader.GetDateTime(5));
    }

    public async Task<int> RemoveDeletedAsync(DateTime now, int max)
    {
        var from = _removed.Begin(now);
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var removed = new List<(string Queue, bool Dead, long Count, DateTime DeletedAt, string Owner)>();
        await using (var command = new NpgsqlCommand(RemoveSql, connection, transaction))
        {
            command.CommandTimeout = StorageRegistration.LongCommandSeconds;
            command.Parameters.AddRange((NpgsqlParameter[])[Value(now), Value(max), Value(from)]);
            await using var reader = await command.ExecuteReaderAsync();
            while (await reader.ReadAsync())
                removed.Add((reader.GetString(0), reader.GetBoolean(1), reader.GetInt64(2), reader.GetDateTime(3),
                    reader.GetString(4)));
        }

        // A dead letter past its retention counts as expired (moab.md 4).
        var expired = removed.FindAll(r => r.Dead);
        if (expired.Count > 0)
        {
            await ExecuteAsync(connection, transaction,
            [
                Command(CountExpiredSql, Value(PickPartition()), Value<string[]>([.. expired.Select(r => r.Queue)]),
                    Value<string[]>([.. expired.Select(r => r.Owner)]),
                    Value<long[]>([.. expired.Select(r => r.Count)])),
            ]);
        }

        await transaction.CommitAsync();
        if (removed.Count > 0)
            _removed.Reached(removed.Max(r => r.DeletedAt));
        else
            _removed.FoundNothing();
        return (int)removed.Sum(r => r.Count);
    }

    private async Task RunAsync(string sql, Func<NpgsqlParameter[]> parameters) =>
        await RetryRacesAsync(async () =>
        {
            await using var command = source.CreateCommand(sql);
            command.CommandTimeout = StorageRegistration.LongCommandSeconds;
            command.Parameters.AddRange(parameters());
            await command.ExecuteNonQueryAsync();
            return sql;
        });
}
