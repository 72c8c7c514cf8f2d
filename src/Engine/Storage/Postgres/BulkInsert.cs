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

    // The event is made from the inserted row, so a task that was there before gets none. The stream is locked after the
    // last row, and before the first event draws its id.
    private static readonly string InsertWithEventsSql =
        $"""
        with inserted as (
            {InsertTasksSql}
            returning id, queue, level, attempt, created_at, due_at, dispatch_at),
        locked as (
            select pg_advisory_xact_lock({LockSpace}, ${TaskColumn.All.Length + 1}) where (select count(*) from inserted) > 0),
        appended as (
            insert into task_events (stream, task_id, type, queue, level, attempt, at, due_at, dispatch)
            select ${TaskColumn.All.Length + 1}, id, {(int)TaskEventType.Submitted}, queue, level, attempt, created_at, due_at, coalesce(dispatch_at > due_at, false)
            from locked, inserted)
        select id from inserted
        """;

    public async Task<IReadOnlySet<Guid>> InsertAsync(IReadOnlyList<TaskState> tasks)
    {
        await using var command = source.CreateCommand(InsertWithEventsSql);
        command.Parameters.AddRange(InsertValues(tasks).Append(Value(PickStream())).ToArray());
        var inserted = new HashSet<Guid>(tasks.Count);
        // Without an explicit transaction the statement is one: it commits when the last row was read.
        await using (var reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
                inserted.Add(reader.GetGuid(0));
        }

        return inserted;
    }

    /// <summary>In the order of ids, in which everybody locks rows; an insert waits for another of the same id.</summary>
    private static IEnumerable<NpgsqlParameter> InsertValues(IReadOnlyList<TaskState> tasks)
    {
        List<TaskState> ordered = [.. tasks.OrderBy(t => t.CorrelationId)];
        return TaskColumn.All.Select(c => c.ArrayOf(ordered));
    }
}
