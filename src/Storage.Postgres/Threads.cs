using Npgsql;

namespace TaskQueue.Storage.Postgres;

/// <summary>
/// Who has the turn in a thread: its earliest waiting member, or the one that runs. That row is the lock of its thread:
/// whoever adds a member, or ends the turn, holds it until the commit, so neither can miss the other.
/// </summary>
internal sealed partial class PostgresTaskStore
{
    private const string LockTurnsSql =
        """
        select t.queue, t.thread_id from tasks t join unnest($1, $2) as k(queue, thread_id) on t.queue = k.queue and t.thread_id = k.thread_id
        where t.thread_id is not null and not t.held and t.state in (3, 4, 7)
        order by t.id for update of t
        """;

    // A waiting holder gives its turn to an earlier member.
    private const string GiveUpTurnsSql =
        """
        update tasks t set held = true from unnest($1, $2) as k(queue, thread_id)
        where t.queue = k.queue and t.thread_id = k.thread_id and t.thread_id is not null and t.state in (3, 7) and not t.held
          and exists (
            select 1 from tasks o where o.queue = t.queue and o.thread_id = t.thread_id and o.thread_id is not null and o.state in (3, 7)
              and o.held and (o.due_at, o.id) < (t.due_at, t.id))
        """;

    private const string TakeTurnsSql =
        """
        update tasks t set held = false
        from unnest($1, $2) as k(queue, thread_id)
        cross join lateral (
            select m.id from tasks m where m.queue = k.queue and m.thread_id = k.thread_id and m.thread_id is not null and m.state in (3, 7)
            order by m.due_at, m.id limit 1) as first
        where t.id = first.id and t.state in (3, 7) and t.held
          and not exists (
            select 1 from tasks h where h.queue = k.queue and h.thread_id = k.thread_id and h.thread_id is not null
              and not h.held and h.state in (3, 4, 7))
        """;

    // Who is found to have a turn must be locked before its thread is left alone: it may be ending in a transaction that
    // does not see our members. And the first member may have been cancelled while we waited for its row. Either way the
    // thread is asked again. A scalar subquery, because a join with the keys, whose number the planner cannot know, would
    // read the index from end to end.
    private static readonly string TurnsLeftSql =
        $"""
        with turns as ({LockTurnsSql})
        select count(*) from unnest($1, $2) as k(queue, thread_id)
        where (
            select m.id from tasks m where m.queue = k.queue and m.thread_id = k.thread_id and m.thread_id is not null
              and m.state in (3, 7) limit 1) is not null
          and not exists (select 1 from turns where turns.queue = k.queue and turns.thread_id = k.thread_id)
        """;

    /// <summary>Gives the turns of threads to whom they belong, after their members were written.</summary>
    private static async Task ElectAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyCollection<OrderingKey> threads)
    {
        string[] queues = [.. threads.Select(t => t.Queue)], ids = [.. threads.Select(t => t.Thread)];
        bool again;
        do
        {
            await ExecuteAsync(connection, transaction, [Command(LockTurnsSql, Value(queues), Value(ids))]);
            await using var batch = new NpgsqlBatch(connection, transaction);
            batch.BatchCommands.Add(Command(GiveUpTurnsSql, Value(queues), Value(ids)));
            batch.BatchCommands.Add(Command(TakeTurnsSql, Value(queues), Value(ids)));
            batch.BatchCommands.Add(Command(TurnsLeftSql, Value(queues), Value(ids)));
            again = await batch.ExecuteScalarAsync() is long and > 0;
        }
        while (again);
    }
}
