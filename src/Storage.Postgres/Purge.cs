using Npgsql;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Hosting;

namespace TaskQueue.Storage.Postgres;

/// <summary>Purges a queue in steps.</summary>
internal sealed partial class PostgresTaskStore
{
    // Of the parts of "found" only one is read, from a mark on and in the order of an index: what the last steps deleted is not read again.
    // A task may start, or a dead letter may be retried, while we wait for its row: then it is left to the next pass. Parts of a statement
    // run in no promised order: the counts make it lock first what waits, then what runs, then dead letters.
    private static readonly string PurgeSql =
        $"""
        with found as materialized (
            (select id, tier, priority, '' as key, due_at as at, created_at as accepted from ready
                where $5 = {(int)PurgePart.Waiting} and queue = $1 and not blocked and created_at < $3
                  and (tier, priority, due_at, created_at, id) > ($6, $7, $9, $11, $10)
                order by tier, priority, due_at, created_at, id limit $4)
            union all
            (select id, 0, 0, ordering_key, due_at, created_at from ready
                where $5 = {(int)PurgePart.Blocked} and queue = $1 and ordering_key is not null and blocked and created_at < $3
                  and (ordering_key, due_at, created_at, id) > ($8, $9, $11, $10)
                order by ordering_key, due_at, created_at, id limit $4)
            union all
            (select id, 0, 0, '', 'epoch'::timestamptz, 'epoch'::timestamptz from running
                where $5 = {(int)PurgePart.Running} and queue = $1 and created_at < $3 and id > $10 order by id limit $4)
            union all
            (select o.id, 0, 0, '', o.finished_at, 'epoch'::timestamptz
                from outcomes o cross join lateral (select t.created_at from tasks t where t.id = o.id offset 0) as t
                where $5 = {(int)PurgePart.Dead} and o.queue = $1 and o.dead and t.created_at < $3
                  and (o.finished_at, o.id) > ($9, $10)
                order by o.finished_at, o.id limit $4)),
        waiting as (
            select {Gone} from ready where id = any(array(select id from found)) order by id for update),
        active as (
            select {Gone} from running where id = any(array(select id from found)) and (select count(*) from waiting) >= 0
            order by id for update),
        gone as materialized (select * from waiting union all select * from active),
        dead_letters as (
            update outcomes set delete_at = $2, dead = false
            where dead and id = any(array(select id from found)) and (select count(*) from gone) >= 0
            returning id),
        not_waiting as (delete from ready where id = any(array(select id from waiting))),
        not_running as (delete from running where id = any(array(select id from active))),
        cancelled as (
            insert into outcomes ({TaskColumn.List(TaskColumn.Outcomes)})
            select {string.Join(", ", TaskColumn.Outcomes.Select(Cancelled))} from gone),
        freed as (
            delete from dedupe_keys where ctid = any(array(select d.place from gone g cross join lateral (
                select d.ctid as place from dedupe_keys d where d.queue = g.queue and d.dedupe_key = g.dedupe_key and d.task_id = g.id
                offset 0) as d)))
        select f.id, g.id is not null, d.id is not null, g.ordering_key, g.tier, g.attempt, g.worker, f.tier, f.priority, f.key, f.at,
            f.accepted
        from found f left join gone g on g.id = f.id left join dead_letters d on d.id = f.id
        order by f.tier, f.priority, f.key, f.at, f.accepted, f.id
        """;

    private const string Gone =
        "id, queue, tier, attempt, attempts_left, lease_ms, worker, claimed_by, due_at, expires_at, started_at, error, progress, batch_id, "
            + "owner, dedupe_key, ordering_key";

    private static string Cancelled(TaskColumn column) => column.Name switch
    {
        "state" => $"{TaskStates.Cancelled}",
        "finished_at" => "$2",
        "delete_at" => "case when batch_id is null then $2 end",
        "result" => "null",
        "dead" => "false",
        _ => column.Name,
    };

    public async Task<PurgedTasks> PurgeAsync(
        string queue, EventPolicy events, DateTime now, int max, DateTime acceptedBefore, PurgeMark from)
    {
        var purged = await RetryRacesAsync(async () =>
        {
            await using var connection = await source.OpenConnectionAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            var found = await FoundAsync(connection, transaction, Command(PurgeSql, Value(queue), Value(now), Value(acceptedBefore),
                Value(max), Value((int)from.Part), Value(from.Tier), Value(from.Priority), Value(from.Key), Value(from.At),
                Value(from.Id), Value(from.AcceptedAt)));
            var cancelled = found.FindAll(t => t.IsCancelled);
            var orderingKeys = TaskChanges.OrderingKeysOf(queue, cancelled.Select(t => t.Key));
            if (orderingKeys.Count > 0)
            {
                await ExecuteAsync(connection, transaction, [LockKeys(orderingKeys)]);
                await PromoteAsync(connection, transaction, orderingKeys);
            }

            if (events != EventPolicy.None && cancelled.Count > 0)
            {
                var parameters = new Parameters();
                var partition = parameters.Add(PickPartition());
                await ExecuteAsync(connection, transaction,
                [
                    parameters.Command($"with locked as (select pg_advisory_xact_lock({LockSpace}, {partition}))\n" + OutboxWrites.Append(
                        parameters, partition, cancelled.Select(t => new TaskEvent
                        {
                            TaskId = t.Id, Type = TaskEventType.Cancelled, Queue = queue, Tier = t.Tier, Attempt = t.Attempt,
                            Worker = t.Worker, At = now,
                        }), only: null)),
                ]);
            }

            await transaction.CommitAsync();
            var next = found.Count < max ? from.NextPart : found[^1].Mark with { Part = from.Part };
            return new PurgedTasks(cancelled.Count, found.Count(t => t.IsDropped), found.Count, next);
        });
        _marks.Forget(queue); // tasks may have been promoted
        return purged;
    }

    private static async Task<List<PurgedTask>> FoundAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, NpgsqlBatchCommand purge)
    {
        await using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands = { purge },
            Timeout = StorageRegistration.LongCommandSeconds,
        };
        await using var reader = await batch.ExecuteReaderAsync();
        var found = new List<PurgedTask>();
        while (await reader.ReadAsync())
        {
            found.Add(new PurgedTask(reader.GetGuid(0), reader.GetBoolean(1), reader.GetBoolean(2),
                await reader.IsDBNullAsync(3) ? null : reader.GetString(3), await reader.IsDBNullAsync(4) ? 0 : reader.GetInt32(4),
                await reader.IsDBNullAsync(5) ? 0 : reader.GetInt32(5), await reader.IsDBNullAsync(6) ? null : reader.GetString(6),
                new PurgeMark(default, reader.GetInt32(7), reader.GetInt32(8), reader.GetString(9), reader.GetDateTime(10),
                    reader.GetDateTime(11), reader.GetGuid(0))));
        }

        return found;
    }

    /// <summary>A task that a purge found; it may have moved before it was locked.</summary>
    private sealed record PurgedTask(
        Guid Id, bool IsCancelled, bool IsDropped, string? Key, int Tier, int Attempt, string? Worker, PurgeMark Mark);
}
