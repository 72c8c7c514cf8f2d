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

    private const string ForgetCountsSql = "delete from queue_counts where queue = $1";

    // Rows are locked in id order before they are changed: an update alone would lock them in index order. Ordering keys are cleared when
    // the queue becomes a push queue: the broker has no such order.
    private const string AdoptSql =
        $"""
        with found as (
            select id from tasks where not push and state in {SqlStates.Waiting} and id = any(array(
                select id from tasks where queue = $1 and state in {SqlStates.Waiting} and not blocked
                union all select id from tasks where queue = $1 and ordering_key is not null and state in {SqlStates.Waiting}))
            order by id for update)
        update tasks set push = true, dispatch_at = due_at, ordering_key = null, blocked = false where id = any(array(select id from found))
        """;

    private const string RearmSql =
        $"""
        with found as (
            select id from tasks where queue = $1 and state in {SqlStates.Waiting} and not blocked and push and dispatch_at is null
                order by id
                for update)
        update tasks set dispatch_at = greatest(due_at, $2) where id = any(array(select id from found))
        """;

    private const string LimitRunningSql =
        $"""
        with found as (select id from tasks where queue = $1 and state = {SqlStates.Running} and not limited order by id for update)
        update tasks set limited = true where id = any(array(select id from found))
        """;

    // A task may fail, or a dead letter may be retried, while we wait for its row: its current state decides.
    private static readonly string PurgeSql =
        $"""
        with found as (
            select id from (
                select id, created_at from tasks where queue = $1 and state in {SqlStates.Waiting} and not blocked
                union all select id, created_at from tasks
                    where queue = $1 and ordering_key is not null and state in {SqlStates.Waiting} and blocked
                union all select id, created_at from tasks where queue = $1 and state = {SqlStates.Running}
                union all select id, created_at from tasks where queue = $1 and dead) as m
            where created_at < $3 limit $4),
        gone as (
            select id, dead, ordering_key from tasks
            where id = any(array(select id from found)) and (state in {SqlStates.Unfinished} or dead)
            order by id for update),
        dead_letters as (
            update tasks set delete_at = $2, dead = false where id = any(array(select id from gone where dead))),
        cancelled as (
            update tasks set state = {TaskStates.Cancelled}, finished_at = $2, delete_at = case when batch_id is null
                then $2 end, lease_until = null, dispatch_at = null,
                blocked = false, limited = false
            where id = any(array(select id from gone where not dead)))
        select f.id, g.dead, g.ordering_key from found f left join gone g on g.id = f.id
        """;

    private static readonly string CancelledEventsSql =
        $"""
        insert into task_events (stream, task_id, type, queue, tier, attempt, worker, at, dispatch, frees)
        select $1, id, {(int)TaskEventType.Cancelled}, queue, tier, attempt, worker, $2, false, false from tasks where id = any($3)
        """;

    private const string StatsSql =
        $"""
        select
            (select count(*) from tasks where queue = $1 and state in {SqlStates.Waiting} and not blocked)
                + (select count(*) from tasks where queue = $1 and ordering_key is not null and state in {SqlStates.Waiting} and blocked),
            (select count(*) from tasks where queue = $1 and state = {SqlStates.Running}),
            (select count(*) from tasks where queue = $1 and dead and not coalesce(delete_at <= $2, false)),
            (select coalesce(sum(count), 0)::bigint from queue_counts where queue = $1 and type = 3),
            (select coalesce(sum(count), 0)::bigint from queue_counts where queue = $1 and type = 7),
            (select min(due_at) from tasks where queue = $1 and state in {SqlStates.Waiting} and not blocked and due_at <= $2
                and (expires_at is null or expires_at > $2))
        """;

    // Only after all its events are published: otherwise they would be lost.
    private static readonly string RemoveSql =
        $"""
        with gone as (
            select id, queue, dead from tasks t where delete_at is not null and delete_at <= $1
              and not exists (
                select 1 from task_events e join event_streams s on s.id = e.stream where e.task_id = t.id and e.id > s.cursor)
            order by delete_at limit $2 for update skip locked),
        events as (delete from task_events where task_id = any(array(select id from gone))),
        removed as (delete from tasks where id = any(array(select id from gone)))
        select queue, dead from gone
        """;

    public Task AdoptAsync(string queue) => RunAsync(AdoptSql, () => [Value(queue)]);

    public async Task ApplyLimitsAsync(string queue)
    {
        await RunAsync(AddLimitSql, () => [Value(queue)]);
        await RunAsync(LimitRunningSql, () => [Value(queue)]);
    }

    public Task RearmAsync(string queue, DateTime now) => RunAsync(RearmSql, () => [Value(queue), Value(now)]);

    public Task<PurgedTasks> PurgeAsync(string queue, EventPolicy events, DateTime now, int max, DateTime acceptedBefore) =>
        RetryRacesAsync(async () =>
        {
            await using var connection = await source.OpenConnectionAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            var found = await FoundAsync(
                connection, transaction, Command(PurgeSql, Value(queue), Value(now), Value(acceptedBefore), Value(max)));
            var gone = found.FindAll(t => t.Dead is not null);
            Guid[] cancelled = [.. gone.Where(t => t.Dead == false).Select(t => t.Id)];
            var orderingKeys = TaskChanges.OrderingKeysOf(queue, gone.Select(t => t.Key));
            if (orderingKeys.Count > 0)
                await PromoteAsync(connection, transaction, orderingKeys);
            if (events != EventPolicy.None && cancelled.Length > 0)
            {
                var stream = PickStream();
                await ExecuteAsync(connection, transaction,
                    [LockStream(stream), Command(CancelledEventsSql, Value(stream), Value(now), Value(cancelled))]);
            }

            await transaction.CommitAsync();
            return new PurgedTasks(cancelled.Length, gone.Count - cancelled.Length, found.Count);
        });

    public async Task ResetAsync(string queue)
    {
        await RunAsync(FillBucketSql, () => [Value(queue)]);
        await RunAsync(ForgetCountsSql, () => [Value(queue)]);
    }

    /// <returns>The tasks found; those that ended before they were locked have no value of dead.</returns>
    private static async Task<List<(Guid Id, bool? Dead, string? Key)>> FoundAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, NpgsqlBatchCommand purge)
    {
        await using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands = { purge },
            Timeout = StorageRegistration.LongCommandSeconds,
        };
        await using var reader = await batch.ExecuteReaderAsync();
        var found = new List<(Guid, bool?, string?)>();
        while (await reader.ReadAsync())
        {
            found.Add((reader.GetGuid(0), await reader.IsDBNullAsync(1) ? null : reader.GetBoolean(1),
                await reader.IsDBNullAsync(2) ? null : reader.GetString(2)));
        }

        return found;
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
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var removed = new List<(string Queue, bool Dead)>();
        await using (var command = new NpgsqlCommand(RemoveSql, connection, transaction))
        {
            command.CommandTimeout = StorageRegistration.LongCommandSeconds;
            command.Parameters.Add(Value(now));
            command.Parameters.Add(Value(max));
            await using var reader = await command.ExecuteReaderAsync();
            while (await reader.ReadAsync())
                removed.Add((reader.GetString(0), reader.GetBoolean(1)));
        }

        // A dead letter past its retention counts as expired (moab.md 4).
        await ExecuteAsync(connection, transaction, Append([.. removed.Where(r => r.Dead).Select(r =>
            new TaskEvent { Queue = r.Queue, Type = TaskEventType.Expired, IsWritten = false })]));
        await transaction.CommitAsync();
        return removed.Count;
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
