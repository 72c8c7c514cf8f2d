using Npgsql;

namespace TaskQueue.Storage.Postgres;

/// <summary>
/// The head of an ordering key is its earliest waiting task, or the running one. Its row is the lock of the key: a transaction that adds a
/// task, or ends the head, holds it until the commit, so neither can miss the other.
/// </summary>
internal sealed partial class PostgresTaskStore
{
    private const string LockHeadsSql =
        $"""
        select t.queue, t.ordering_key from tasks t join unnest($1, $2) as k(queue, ordering_key) on t.queue = k.queue
            and t.ordering_key = k.ordering_key
        where t.ordering_key is not null and not t.blocked and t.state in {SqlStates.Unfinished}
        order by t.id for update of t
        """;

    // A waiting head yields to an earlier task.
    private const string BlockSql =
        $"""
        update tasks t set blocked = true from unnest($1, $2) as k(queue, ordering_key)
        where t.queue = k.queue and t.ordering_key = k.ordering_key and t.ordering_key is not null and t.state in {SqlStates.Waiting}
            and not t.blocked
          and exists (
            select 1 from tasks o where o.queue = t.queue and o.ordering_key = t.ordering_key and o.ordering_key is not null
                and o.state in {SqlStates.Waiting}
              and o.blocked and (o.due_at, o.id) < (t.due_at, t.id))
        """;

    private const string PromoteSql =
        $"""
        update tasks t set blocked = false
        from unnest($1, $2) as k(queue, ordering_key)
        cross join lateral (
            select m.id from tasks m where m.queue = k.queue and m.ordering_key = k.ordering_key and m.ordering_key is not null
                and m.state in {SqlStates.Waiting}
            order by m.due_at, m.id limit 1) as first
        where t.id = first.id and t.state in {SqlStates.Waiting} and t.blocked
          and not exists (
            select 1 from tasks h where h.queue = k.queue and h.ordering_key = k.ordering_key and h.ordering_key is not null
              and not h.blocked and h.state in {SqlStates.Unfinished})
        """;

    // An existing head must be locked before its key is skipped: it may be ending in a transaction that does not see our tasks. And the
    // first task may have been cancelled while we waited for its row. In both cases the key is checked again. A scalar subquery, because a
    // join with the keys, whose number the planner cannot know, would scan the index.
    private static readonly string HeadlessSql =
        $"""
        with heads as ({LockHeadsSql})
        select count(*) from unnest($1, $2) as k(queue, ordering_key)
        where (
            select m.id from tasks m where m.queue = k.queue and m.ordering_key = k.ordering_key and m.ordering_key is not null
              and m.state in {SqlStates.Waiting} limit 1) is not null
          and not exists (select 1 from heads where heads.queue = k.queue and heads.ordering_key = k.ordering_key)
        """;

    /// <summary>Blocks and promotes the tasks of ordering keys after they were written.</summary>
    private static async Task PromoteAsync(NpgsqlConnection connection, NpgsqlTransaction transaction,
        IReadOnlyCollection<OrderingKey> orderingKeys)
    {
        string[] queues = [.. orderingKeys.Select(t => t.Queue)], ids = [.. orderingKeys.Select(t => t.Key)];
        bool again;
        do
        {
            await ExecuteAsync(connection, transaction, [Command(LockHeadsSql, Value(queues), Value(ids))]);
            await using var batch = new NpgsqlBatch(connection, transaction);
            batch.BatchCommands.Add(Command(BlockSql, Value(queues), Value(ids)));
            batch.BatchCommands.Add(Command(PromoteSql, Value(queues), Value(ids)));
            batch.BatchCommands.Add(Command(HeadlessSql, Value(queues), Value(ids)));
            again = await batch.ExecuteScalarAsync() is long and > 0;
        }
        while (again);
    }
}
