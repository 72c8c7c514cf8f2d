using Npgsql;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    private static readonly string InsertTasksSql =
        $"""
        insert into tasks ({TaskColumn.List(TaskColumn.All)})
        select * from unnest({Placeholders(TaskColumn.All.Length)})
        on conflict (id) do nothing
        """;

    // The event is made from the inserted row, so a task that was there before gets none.
    private static readonly string InsertWithEventsSql =
        $"""
        with inserted as (
            {InsertTasksSql}
            returning id, queue, level, attempt, created_at, due_at, dispatch_at),
        appended as (
            insert into task_events (stream, task_id, type, queue, level, attempt, at, due_at, dispatch)
            select ${TaskColumn.All.Length + 1}, id, {(int)TaskEventType.Submitted}, queue, level, attempt, created_at, due_at, coalesce(dispatch_at > due_at, false)
            from inserted)
        select id from inserted
        """;

    public async Task<IReadOnlySet<Guid>> InsertAsync(IReadOnlyList<TaskState> tasks)
    {
        var stream = PickStream();
        await using var connection = await source.OpenConnectionAsync();
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(LockStream(stream));
        batch.BatchCommands.Add(Command(InsertWithEventsSql, [.. TaskColumn.All.Select(c => c.ArrayOf(tasks)), Value(stream)]));
        var inserted = new HashSet<Guid>(tasks.Count);
        // Without an explicit transaction the batch is one: it commits when the last row was read.
        await using (var reader = await batch.ExecuteReaderAsync())
        {
            await reader.NextResultAsync();
            while (await reader.ReadAsync())
                inserted.Add(reader.GetGuid(0));
        }

        return inserted;
    }
}
