using Npgsql;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    private static readonly string InsertTasksSql =
        $"""
        insert into tasks ({TaskColumn.List(TaskColumn.All)})
        select * from unnest({Placeholders(TaskColumn.All.Length)})
        """;

    private static readonly string InsertNewTasksSql = InsertTasksSql + "\non conflict do nothing";

    // All or nothing: if an id exists the statement fails, and the tasks are inserted like conflicting ones. The partition is locked after
    // the last row, and before the first event draws its id.
    private static readonly string InsertWithEventsSql =
        $"""
        with inserted as (
            {InsertTasksSql}
            returning id, queue, tier, attempt, created_at, due_at, dispatch_at),
        locked as (
            select pg_advisory_xact_lock({LockSpace}, ${TaskColumn.All.Length + 1}) where (select count(*) from inserted) > 0),
        appended as (
            insert into task_events (stream, task_id, type, queue, tier, attempt, at, due_at, dispatch, frees)
            select ${TaskColumn.All.Length + 1}, id,
                case when queue = any(${TaskColumn.All.Length + 2}) then {(int)TaskEventType.Dispatched}
                    else {(int)TaskEventType.Submitted} end,
                queue, tier, attempt, created_at, due_at, coalesce(dispatch_at > due_at, false), false
            from locked, inserted
            where not queue = any(${TaskColumn.All.Length + 2}) or coalesce(dispatch_at > due_at, false))
        select 1
        """;

    public async Task<IReadOnlyList<SubmitResult>?> InsertAsync(IReadOnlyList<NewTask> tasks, InsertStep? step = null) =>
        step is null && tasks.All(t => t.Task is { DedupeKey: null, OrderingKey: null })
            && await InsertPlainAsync([.. tasks.Select(t => t.Task)])
            ? [.. tasks.Select(t => new SubmitResult(t.Task.CorrelationId, SubmitStatus.Accepted, t.Task))]
            : (await RetryRacesAsync(() => InsertOrderedAsync(tasks, step))).Answers;

    /// <summary>Inserts tasks without conflicts in one statement. False if an id exists; then nothing is inserted.</summary>
    private async Task<bool> InsertPlainAsync(List<TaskState> tasks)
    {
        await using var command = source.CreateCommand(InsertWithEventsSql);
        string[] silent = [.. tasks.Where(t => t.Settings.Events != EventPolicy.All).Select(t => t.Queue).Distinct()];
        command.Parameters.AddRange(InsertValues(tasks).Append(Value(PickStream())).Append(Value(silent)).ToArray());
        try
        {
            await command.ExecuteNonQueryAsync(); // a transaction of its own
            return true;
        }
        catch (PostgresException taken) when (taken.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return false;
        }
    }

    /// <summary>Sorted by id, the order in which all transactions lock rows; an insert waits for another one of the same id.</summary>
    private static IEnumerable<NpgsqlParameter> InsertValues(IReadOnlyList<TaskState> tasks)
    {
        List<TaskState> ordered = [.. tasks.OrderBy(t => t.CorrelationId)];
        return ColumnArrays.ArraysOf(TaskColumn.All, ordered);
    }
}
