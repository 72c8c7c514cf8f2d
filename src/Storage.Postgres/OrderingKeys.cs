using Npgsql;

namespace TaskQueue.Storage.Postgres;

/// <summary>
/// The head of an ordering key is its earliest waiting task, or the running one. A transaction that adds a task, or ends the head, locks
/// the key's row in <c>ordering_keys</c> until the commit, so neither can miss the other. A claim does not, because it changes no head.
/// </summary>
internal sealed partial class PostgresTaskStore
{
    // A plan for any keys, made while few tasks had one, reads all of them once there are many.
    private const string CustomPlansSql = "select set_config('plan_cache_mode', 'force_custom_plan', true)";

    private const string LockKeysSql =
        """
        insert into ordering_keys (queue, ordering_key) select k.queue, k.ordering_key from unnest($1, $2) as k(queue, ordering_key)
        order by k.queue, k.ordering_key
        on conflict (queue, ordering_key) do update set queue = excluded.queue
        """;

    // A waiting head yields to an earlier task.
    private const string BlockSql =
        """
        update ready t set blocked = true from unnest($1, $2) as k(queue, ordering_key)
        where t.queue = k.queue and t.ordering_key = k.ordering_key and t.ordering_key is not null and not t.blocked
          and exists (
            select 1 from ready o where o.queue = t.queue and o.ordering_key = t.ordering_key and o.ordering_key is not null
              and o.blocked and (o.due_at, o.created_at, o.id) < (t.due_at, t.created_at, t.id))
        """;

    private const string PromoteSql =
        """
        update ready t set blocked = false
        from unnest($1, $2) as k(queue, ordering_key)
        cross join lateral (
            select m.id from ready m where m.queue = k.queue and m.ordering_key = k.ordering_key and m.ordering_key is not null
            order by m.due_at, m.created_at, m.id limit 1) as first
        where t.id = first.id and t.blocked
          and not exists (
            select 1 from ready h where h.queue = k.queue and h.ordering_key = k.ordering_key and h.ordering_key is not null
              and not h.blocked)
          and not exists (
            select 1 from running h where h.queue = k.queue and h.ordering_key = k.ordering_key and h.ordering_key is not null)
        """;

    private const string ForgetKeysSql =
        """
        delete from ordering_keys where ctid = any(array(
            select o.place from unnest($1, $2) as k(queue, ordering_key) cross join lateral (
                select o.ctid as place from ordering_keys o where o.queue = k.queue and o.ordering_key = k.ordering_key offset 0) as o
            where not exists (
                select 1 from ready h where h.queue = k.queue and h.ordering_key = k.ordering_key and h.ordering_key is not null)
              and not exists (
                select 1 from running h where h.queue = k.queue and h.ordering_key = k.ordering_key and h.ordering_key is not null)))
        """;

    // The first task may have been cancelled, or claimed, while we waited for its row: then the key is looked at again.
    private const string HeadlessSql =
        """
        select count(*) from unnest($1, $2) as k(queue, ordering_key)
        where exists (
            select 1 from ready m where m.queue = k.queue and m.ordering_key = k.ordering_key and m.ordering_key is not null)
          and not exists (
            select 1 from ready h where h.queue = k.queue and h.ordering_key = k.ordering_key and h.ordering_key is not null
              and not h.blocked)
          and not exists (
            select 1 from running h where h.queue = k.queue and h.ordering_key = k.ordering_key and h.ordering_key is not null)
        """;

    private static NpgsqlBatchCommand LockKeys(IReadOnlyCollection<OrderingKey> orderingKeys) =>
        Command(LockKeysSql, Value<string[]>([.. orderingKeys.Select(k => k.Queue)]),
            Value<string[]>([.. orderingKeys.Select(k => k.Key)]));

    /// <summary>Blocks and promotes the tasks of locked ordering keys after they were written.</summary>
    private static async Task PromoteAsync(NpgsqlConnection connection, NpgsqlTransaction transaction,
        IReadOnlyCollection<OrderingKey> orderingKeys)
    {
        string[] queues = [.. orderingKeys.Select(t => t.Queue)], keys = [.. orderingKeys.Select(t => t.Key)];
        bool again;
        do
        {
            await ExecuteAsync(connection, transaction,
            [
                Command(CustomPlansSql), Command(BlockSql, Value(queues), Value(keys)), Command(PromoteSql, Value(queues), Value(keys)),
            ]);
            await using var batch = new NpgsqlBatch(connection, transaction);
            batch.BatchCommands.Add(Command(HeadlessSql, Value(queues), Value(keys)));
            again = await batch.ExecuteScalarAsync() is long and > 0;
        }
        while (again);
        await ExecuteAsync(connection, transaction, [Command(ForgetKeysSql, Value(queues), Value(keys))]);
    }
}
