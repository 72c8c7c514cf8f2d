using Npgsql;
using TaskQueue.Engine;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

/// <summary>Inserts tasks that may conflict: by a dedupe key, an ordering key, or the tick of a schedule.</summary>
internal sealed partial class PostgresTaskStore
{
    private const string ExistingSql = "select id, owner, delete_at from tasks where id = any($1)";

    private static readonly string HoldersSql =
        $"""
        select {TaskColumn.List(TaskColumn.All, "t.")} from tasks t
        join (select distinct queue, dedupe_key from unnest($1, $2) as u(queue, dedupe_key)) k on t.queue = k.queue
            and t.dedupe_key = k.dedupe_key
        where t.dedupe_key is not null and t.state in {SqlStates.Unfinished}
        order by t.id for update of t
        """;

    private const string TakeTickSql = "update schedules set next_at = $3, last_at = $2 where id = $1 and next_at = $2";

    private const string TakeLinesSql =
        $"update batches set lines_done = $3, bytes_done = $4, version = version + 1 where id = $1 and lines_done = $2 and state = "
            + $"{SqlStates.BatchInProgress}";

    private const string BadLinesSql =
        """
        insert into batch_bad_lines (batch_id, line, custom_id, code, message)
        select $1, u.* from unnest($2, $3, $4, $5) as u
        """;

    private static readonly string OverwriteSql = UpdateOf(TaskColumn.Overwritten);

    /// <summary>Null if the holder of a key ended between two statements: the transaction must be retried.</summary>
    private async Task<Inserted?> InsertOrderedAsync(IReadOnlyList<NewTask> tasks, InsertStep? step)
    {
        tasks = [.. tasks.Select(t => t with { Task = t.Task.Copy() })]; // a retry must find them unchanged
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        if (step is not null && !await TakeStepAsync(connection, transaction, step))
            return new Inserted(null);
        var inserted = await InsertRowsAsync(connection, transaction, tasks);
        if (await MeetHoldersAsync(connection, transaction, tasks, inserted) is not { } answers)
            return null;
        DuplicateRules.DemandNew(step, answers);
        var changed = DuplicateRules.Changed(answers);
        var orderingKeys = TaskChanges.OrderingKeysOf(changed);
        if (orderingKeys.Count > 0)
            await PromoteAsync(connection, transaction, orderingKeys);
        await ExecuteAsync(connection, transaction, Append([.. changed.SelectMany(t => t.Events)]));
        await transaction.CommitAsync();
        return new Inserted(answers);
    }

    /// <summary>The results of an insert; null if another process applied the step.</summary>
    private sealed record Inserted(IReadOnlyList<SubmitResult>? Answers);

    private static async Task<bool> TakeStepAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, InsertStep step)
    {
        var take = step switch
        {
            ScheduleTick tick => Command(TakeTickSql, Value(tick.ScheduleId), Value(tick.At), Nullable(tick.Next)),
            BatchStep lines => Command(TakeLinesSql, Value(lines.BatchId), Value(lines.From), Value(lines.To), Value(lines.Bytes)),
            _ => throw new ArgumentOutOfRangeException(nameof(step)),
        };
        await ExecuteAsync(connection, transaction, [take]);
        if (take.Rows == 1 && step is BatchStep { Bad: { Count: > 0 } bad } batch)
        {
            await ExecuteAsync(connection, transaction,
            [
                Command(BadLinesSql, Value(batch.BatchId), Value<int[]>([.. bad.Select(l => l.Line)]),
                    Value<string?[]>([.. bad.Select(l => l.CustomId)]),
                    Value<string[]>([.. bad.Select(l => l.Code)]), Value<string[]>([.. bad.Select(l => l.Message)])),
            ]);
        }

        return take.Rows == 1;
    }

    /// <summary>
    /// Sorted by dedupe key, the order in which transactions wait for each other's; the first of a key, or of an id, is inserted.
    /// </summary>
    private static async Task<HashSet<Guid>> InsertRowsAsync(NpgsqlConnection connection, NpgsqlTransaction transaction,
        IReadOnlyList<NewTask> tasks)
    {
        List<TaskState> ordered = [.. tasks.Select(t => t.Task).DistinctBy(t => t.CorrelationId)
            .OrderBy(t => t.Queue, StringComparer.Ordinal).ThenBy(t => t.DedupeKey, StringComparer.Ordinal)];
        await using var command = new NpgsqlCommand(InsertNewTasksSql + " returning id", connection, transaction);
        command.Parameters.AddRange(ColumnArrays.ArraysOf(TaskColumn.All, ordered).ToArray());
        await using var reader = await command.ExecuteReaderAsync();
        var inserted = new HashSet<Guid>();
        while (await reader.ReadAsync())
            inserted.Add(reader.GetGuid(0));
        return inserted;
    }

    /// <summary>The result of each task, in submission order; duplicates change the holders of their keys.</summary>
    private static async Task<List<SubmitResult>?> MeetHoldersAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<NewTask> tasks, HashSet<Guid> inserted)
    {
        IReadOnlyDictionary<Guid, TakenId> taken = new Dictionary<Guid, TakenId>();
        var holders = new Dictionary<(string, string), TaskState>();
        if (inserted.Count < tasks.Count)
        {
            taken = await ExistingAsync(connection, transaction,
                [.. tasks.Select(t => t.Task.CorrelationId).Where(id => !inserted.Contains(id))]);
            holders = await HoldersAsync(connection, transaction, [.. tasks.Select(t => t.Task).Where(t => t.DedupeKey is not null)]);
        }

        var answers = DuplicateRules.Answer(tasks, inserted, taken, holders);
        var changed = answers?.Where(a => a.Result == SubmitStatus.Overwritten).Select(a => a.Task!).Distinct().ToList();
        if (changed is { Count: > 0 })
            await ExecuteAsync(connection, transaction, [Update(OverwriteSql, TaskColumn.Overwritten, changed)]);
        return answers;
    }

    private static async Task<Dictionary<Guid, TakenId>> ExistingAsync(
        NpgsqlConnection connection, NpgsqlTransaction? transaction, Guid[] ids)
    {
        await using var command = new NpgsqlCommand(ExistingSql, connection, transaction);
        command.Parameters.Add(Value(ids));
        await using var reader = await command.ExecuteReaderAsync();
        var existing = new Dictionary<Guid, TakenId>();
        while (await reader.ReadAsync())
        {
            var id = reader.GetGuid(0);
            existing[id] = new TakenId(id, await reader.IsDBNullAsync(1) ? null : reader.GetString(1), await reader.IsDBNullAsync(2) ? null
                : reader.GetDateTime(2));
        }

        return existing;
    }

    private static async Task<Dictionary<(string, string), TaskState>> HoldersAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, List<TaskState> tasks)
    {
        await using var command = new NpgsqlCommand(HoldersSql, connection, transaction);
        command.Parameters.Add(Value<string[]>([.. tasks.Select(t => t.Queue)]));
        command.Parameters.Add(Value<string[]>([.. tasks.Select(t => t.DedupeKey!)]));
        await using var reader = await command.ExecuteReaderAsync();
        var holders = new Dictionary<(string, string), TaskState>();
        while (await reader.ReadAsync())
        {
            var task = TaskColumn.ReadRow(TaskColumn.All, reader);
            holders[(task.Queue, task.DedupeKey!)] = task;
        }

        return holders;
    }

    /// <summary>
    /// Retries a transaction on a concurrency conflict: a deadlock, two that promoted the first task of an ordering key, or a holder that
    /// ended in the meantime.
    /// </summary>
    private static Task<T> RetryRacesAsync<T>(Func<Task<T?>> work)
        where T : class => ConflictRetry.RetryAsync(work, StorageFaults.IsRace);
}
