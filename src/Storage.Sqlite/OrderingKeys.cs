namespace TaskQueue.Storage.Sqlite;

/// <summary>
/// The head of an ordering key is its earliest waiting task, or the running one. There is a single writer, so no lock is needed.
/// </summary>
internal sealed partial class SqliteTaskStore
{
    private const string BlockSql =
        $"""
        update tasks set blocked = 1
        where queue = @0 and ordering_key = @1 and ordering_key is not null and state in {SqlStates.Waiting} and not blocked
          and exists (
            select 1 from tasks o where o.queue = @0 and o.ordering_key = @1 and o.ordering_key is not null
                and o.state in {SqlStates.Waiting}
              and o.blocked and (o.due_at, o.id) < (tasks.due_at, tasks.id))
        """;

    private const string PromoteSql =
        $"""
        update tasks set blocked = 0
        where id = (
            select id from tasks where queue = @0 and ordering_key = @1 and ordering_key is not null and state in {SqlStates.Waiting}
                order by due_at, id
                limit 1)
          and not exists (
            select 1 from tasks h where h.queue = @0 and h.ordering_key = @1 and h.ordering_key is not null and not h.blocked
                and h.state in {SqlStates.Unfinished})
        """;

    /// <summary>Blocks and promotes the tasks of ordering keys after they were written.</summary>
    private void Promote(IEnumerable<OrderingKey> orderingKeys)
    {
        foreach (var (queue, orderingKey) in orderingKeys)
        {
            Execute(BlockSql, queue, orderingKey);
            Execute(PromoteSql, queue, orderingKey);
        }
    }
}
