namespace TaskQueue.Storage.Sqlite;

/// <summary>Who has the turn in a thread: its earliest waiting member, or the one that runs. There is one writer, so no lock.</summary>
internal sealed partial class SqliteTaskStore
{
    private const string GiveUpTurnSql =
        """
        update tasks set held = 1
        where queue = @0 and thread_id = @1 and thread_id is not null and state in (3, 7) and not held
          and exists (
            select 1 from tasks o where o.queue = @0 and o.thread_id = @1 and o.thread_id is not null and o.state in (3, 7)
              and o.held and (o.due_at, o.id) < (tasks.due_at, tasks.id))
        """;

    private const string TakeTurnSql =
        """
        update tasks set held = 0
        where id = (
            select id from tasks where queue = @0 and thread_id = @1 and thread_id is not null and state in (3, 7) order by due_at, id limit 1)
          and not exists (
            select 1 from tasks h where h.queue = @0 and h.thread_id = @1 and h.thread_id is not null and not h.held and h.state in (3, 4, 7))
        """;

    /// <summary>Gives the turns of threads to whom they belong, after their members were written.</summary>
    private void Elect(IEnumerable<OrderingKey> threads)
    {
        foreach (var (queue, thread) in threads)
        {
            Execute(GiveUpTurnSql, queue, thread);
            Execute(TakeTurnSql, queue, thread);
        }
    }
}
