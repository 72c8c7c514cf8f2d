using Npgsql;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    private static readonly string InsertTasksSql =
        $"""
        insert into tasks ({TaskColumn.List(TaskColumn.All)})
        select * from unnest({Placeholders(TaskColumn.All.Length)})
        on conflict do nothing
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
            insert into task_events (stream, task_id, type, queue, level, attempt, at, due_at, dispatch, frees)
            select ${TaskColumn.All.Length + 1}, id,
                case when queue = any(${TaskColumn.All.Length + 2}) then {(int)TaskEventType.Dispatched} else {(int)TaskEventType.Submitted} end,
                queue, level, attempt, created_at, due_at, coalesce(dispatch_at > due_at, false), false
            from locked, inserted
            where not queue = any(${TaskColumn.All.Length + 2}) or coalesce(dispatch_at > due_at, false))
        select id from inserted
        """;

    public async Task<IReadOnlyList<Admission>?> InsertAsync(IReadOnlyList<NewTask> tasks, InsertStep? step = null) =>
        step is null && tasks.All(t => t.Task is { DedupeKey: null, ThreadId: null })
            ? Answer(tasks, await InsertPlainAsync([.. tasks.Select(t => t.Task)]))
            : (await RetryRacesAsync(() => InsertOrderedAsync(tasks, step))).Answers;

    /// <summary>No task can meet another: one statement.</summary>
    private async Task<HashSet<Guid>> InsertPlainAsync(List<TaskState> tasks)
    {
        await using var command = source.CreateCommand(InsertWithEventsSql);
        string[] silent = [.. tasks.Where(t => t.Settings.Events != EventPolicy.All).Select(t => t.Queue).Distinct()];
        command.Parameters.AddRange(InsertValues(tasks).Append(Value(PickStream())).Append(Value(silent)).ToArray());
        var inserted = new HashSet<Guid>(tasks.Count);
        // Without an explicit transaction the statement is one: it commits when the last row was read.
        await using (var reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
                inserted.Add(reader.GetGuid(0));
        }

        return inserted;
    }

    /// <summary>The first of two tasks with one id is the one that was inserted.</summary>
    private static List<Admission> Answer(IReadOnlyList<NewTask> tasks, HashSet<Guid> inserted) =>
        [.. tasks.Select(t => inserted.Remove(t.Task.CorrelationId)
            ? new Admission(t.Task.CorrelationId, Admitted.Accepted, t.Task)
            : new Admission(t.Task.CorrelationId, Admitted.IdTaken, null))];

    /// <summary>In the order of ids, in which everybody locks rows; an insert waits for another of the same id.</summary>
    private static IEnumerable<NpgsqlParameter> InsertValues(IReadOnlyList<TaskState> tasks)
    {
        List<TaskState> ordered = [.. tasks.OrderBy(t => t.CorrelationId)];
        return TaskColumn.All.Select(c => c.ArrayOf(ordered));
    }
}
