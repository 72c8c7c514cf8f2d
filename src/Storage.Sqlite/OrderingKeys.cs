namespace TaskQueue.Storage.Sqlite;

/// <summary>
/// The head of an ordering key is its earliest waiting task, or the running one. There is a single writer, so no lock is needed.
/// </summary>
internal sealed partial class SqliteTaskStore
{
    // A waiting head yields to an earlier task.
    private const string BlockSql =
        """
        update ready set blocked = 1
        where queue = @queue and ordering_key = @ordering_key and ordering_key is not null and not blocked
          and exists (
            select 1 from ready o where o.queue = @queue and o.ordering_key = @ordering_key and o.ordering_key is not null
              and o.blocked and (o.due_at, o.created_at, o.id) < (ready.due_at, ready.created_at, ready.id))
        """;

    private const string PromoteSql =
        """
        update ready set blocked = 0
        where id = (
            select id from ready where queue = @queue and ordering_key = @ordering_key and ordering_key is not null
            order by due_at, created_at, id limit 1)
          and not exists (
            select 1 from ready h where h.queue = @queue and h.ordering_key = @ordering_key and h.ordering_key is not null
              and not h.blocked)
          and not exists (
            select 1 from running h where h.queue = @queue and h.ordering_key = @ordering_key and h.ordering_key is not null)
        """;

    /// <summary>Blocks and promotes the tasks of ordering keys after they were written.</summary>
    private void Promote(IEnumerable<OrderingKey> orderingKeys)
    {
        foreach (var (queue, orderingKey) in orderingKeys)
        {
            Execute(BlockSql, ("@queue", queue), ("@ordering_key", orderingKey));
            Execute(PromoteSql, ("@queue", queue), ("@ordering_key", orderingKey));
        }
    }
}
