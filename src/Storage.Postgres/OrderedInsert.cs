using Npgsql;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

/// <summary>Inserts tasks that may conflict: by a dedupe key, an ordering key, or the tick of a schedule.</summary>
internal sealed partial class PostgresTaskStore
{
    // Joins by primary key are lateral and fenced: a plan made while a table was small must not read it whole when it is large.
    private const string ExistingSql =
        """
        select t.id, t.owner, o.delete_at
        from unnest($1) as u(id) cross join lateral (select id, owner from tasks t where t.id = u.id offset 0) as t
        left join lateral (select delete_at from outcomes o where o.id = u.id offset 0) as o on true
        """;

    private const string HoldersOf =
        """
        holders as materialized (
            select distinct d.task_id from unnest($1, $2) as k(queue, dedupe_key) cross join lateral (
                select task_id from dedupe_keys d where d.queue = k.queue and d.dedupe_key = k.dedupe_key offset 0) as d)
        """;

    // The ordering keys of what is to be overwritten, and those of new tasks, before any row is locked: their order is that of all locks.
    private const string LockKeysOfHoldersSql =
        $"""
        with {HoldersOf},
        keys as materialized (
            select k.queue, k.ordering_key from unnest($3, $4) as k(queue, ordering_key)
            union
            select r.queue, r.ordering_key from holders h cross join lateral (
                select queue, ordering_key from ready r where r.id = h.task_id and r.ordering_key is not null offset 0) as r),
        locked_keys as (
            insert into ordering_keys (queue, ordering_key) select queue, ordering_key from keys order by queue, ordering_key
            on conflict (queue, ordering_key) do update set queue = excluded.queue)
        select queue, ordering_key from keys
        """;

    // Only what is to be overwritten: whoever merely meets a holder must not hold it up.
    private const string LockHoldersSql =
        $"""
        with {HoldersOf}
        select id from ready where id = any(array(select task_id from holders)) order by id for update
        """;

    // A statement of its own after the lock, so that it sees what the previous holder of the lock wrote.
    private static readonly string HoldersSql =
        $"""
        with {HoldersOf}
        select {TaskViews.Select(TaskColumn.Met, TaskTable.Ready, Missing)}
        from holders h cross join lateral (select * from ready r where r.id = h.task_id offset 0) as r
            cross join lateral (select * from tasks t where t.id = h.task_id offset 0) as t
        union all
        select {TaskViews.Select(TaskColumn.Met, TaskTable.Running, Missing)}
        from holders h cross join lateral (select * from running r where r.id = h.task_id offset 0) as r
            cross join lateral (select * from tasks t where t.id = h.task_id offset 0) as t
        """;

    private const string ReleaseKeysSql =
        """
        delete from dedupe_keys where ctid = any(array(
            select d.place from unnest($1, $2, $3) as k(queue, dedupe_key, id) cross join lateral (
                select d.ctid as place from dedupe_keys d where d.queue = k.queue and d.dedupe_key = k.dedupe_key and d.task_id = k.id
                offset 0) as d))
        """;

    private const string OverwriteTasksSql =
        """
        update tasks t set payload = f.payload, name = f.name from (
            select o.place, u.payload, u.name from unnest($1, $2, $3) as u(id, payload, name) cross join lateral (
                select o.ctid as place from tasks o where o.id = u.id offset 0) as o) as f
        where t.ctid = f.place
        """;

    private const string OverwriteReadySql =
        """
        update ready r set due_at = f.due_at, expires_at = f.expires_at, dispatch_at = f.dispatch_at, octets = f.octets, name = f.name,
            progress = case when f.refilled then null else r.progress end
        from (
            select o.place, u.* from unnest($1, $2, $3, $4, $5, $6, $7)
                as u(id, due_at, expires_at, dispatch_at, octets, refilled, name)
            cross join lateral (select o.ctid as place from ready o where o.id = u.id offset 0) as o) as f
        where r.ctid = f.place
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

    /// <summary>Null if a key got another holder between two statements: the transaction must be retried.</summary>
    private async Task<Inserted?> InsertOrderedAsync(IReadOnlyList<NewTask> tasks, InsertStep? step)
    {
        tasks = [.. tasks.Select(t => t with { Task = t.Task.Copy() })]; // a retry must find them unchanged
        await using var connection = await source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        if (step is not null && !await TakeStepAsync(connection, transaction, step))
            return new Inserted(null);
        var inserted = await InsertRowsAsync(connection, transaction, tasks);
        var locked = await LockOverwrittenAsync(connection, transaction, tasks, inserted);
        if (await MeetHoldersAsync(connection, transaction, tasks, inserted, locked?.Tasks ?? []) is not { } answers)
            return null;
        DuplicateRules.DemandNew(step, answers);
        var changed = DuplicateRules.Changed(answers);
        var orderingKeys = locked?.Keys ?? TaskChanges.OrderingKeysOf(changed);
        if (locked is null && orderingKeys.Count > 0)
            await ExecuteAsync(connection, transaction, [LockKeys(orderingKeys)]);
        else if (TaskChanges.OrderingKeysOf(changed).Except(orderingKeys).Any())
            return null; // meanwhile a task with another ordering key took a dedupe key, and locks have an order
        if (orderingKeys.Count > 0)
            await PromoteAsync(connection, transaction, orderingKeys);
        await ExecuteAsync(connection, transaction, Append(changed));
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

    /// <summary>Inserts the first task of each id whose dedupe key is free, or that has none.</summary>
    private static async Task<HashSet<Guid>> InsertRowsAsync(NpgsqlConnection connection, NpgsqlTransaction transaction,
        IReadOnlyList<NewTask> tasks)
    {
        List<TaskState> distinct = [.. tasks.Select(t => t.Task).DistinctBy(t => t.CorrelationId)];
        // Sorted, the order in which transactions wait for each other's keys; the first of a key takes it.
        List<TaskState> keyed = [.. distinct.Where(t => t.DedupeKey is not null).OrderBy(t => t.Queue, StringComparer.Ordinal)
            .ThenBy(t => t.DedupeKey, StringComparer.Ordinal)];
        var holders = keyed.Count == 0 ? [] : await ReadIdsAsync(connection, transaction, Inserts.TakeKeys(keyed));
        List<TaskState> free = [.. distinct.Where(t => t.DedupeKey is null || holders.Contains(t.CorrelationId))];
        var inserted = free.Count == 0 ? [] : await ReadIdsAsync(connection, transaction, Inserts.WriteNew(free));
        List<TaskState> orphaned = [.. keyed.Where(t => holders.Contains(t.CorrelationId) && !inserted.Contains(t.CorrelationId))];
        if (orphaned.Count > 0)
        {
            await ExecuteAsync(connection, transaction,
            [
                Command(ReleaseKeysSql, Value<string[]>([.. orphaned.Select(t => t.Queue)]),
                    Value<string[]>([.. orphaned.Select(t => t.DedupeKey!)]), Value<Guid[]>([.. orphaned.Select(t => t.CorrelationId)])),
            ]);
        }

        return inserted;
    }

    private static async Task<HashSet<Guid>> ReadIdsAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, NpgsqlBatchCommand command)
    {
        await using var batch = new NpgsqlBatch(connection, transaction) { BatchCommands = { command } };
        await using var reader = await batch.ExecuteReaderAsync();
        var ids = new HashSet<Guid>();
        while (await reader.ReadAsync())
            ids.Add(reader.GetGuid(0));
        return ids;
    }

    /// <summary>The last statement before the commit: the events of tasks that were accepted, or overwritten.</summary>
    private static IEnumerable<NpgsqlBatchCommand> Append(IReadOnlyList<TaskState> tasks)
    {
        var history = AttemptRows.Of(tasks);
        if (history.Count > 0)
            yield return Moves.WriteHistory(history);
        if (Moves.WriteEvents(tasks, PickPartition()) is { } events)
            yield return events;
    }

    /// <summary>
    /// Locks what duplicates overwrite, and before it its ordering keys and those of new tasks; null if there is nothing.
    /// </summary>
    private static async Task<Locked?> LockOverwrittenAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<NewTask> tasks, HashSet<Guid> inserted)
    {
        List<TaskState> overwriting = [.. tasks.Where(t => t.Overwrite != OverwriteFields.None && t.Task.DedupeKey is not null
            && !inserted.Contains(t.Task.CorrelationId)).Select(t => t.Task)];
        if (overwriting.Count == 0)
            return null;
        string[] queues = [.. overwriting.Select(t => t.Queue)], keys = [.. overwriting.Select(t => t.DedupeKey!)];
        var own = TaskChanges.OrderingKeysOf(tasks.Select(t => t.Task));
        await using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands =
            {
                Command(LockKeysOfHoldersSql, Value(queues), Value(keys), Value<string[]>([.. own.Select(k => k.Queue)]),
                    Value<string[]>([.. own.Select(k => k.Key)])),
                Command(LockHoldersSql, Value(queues), Value(keys)),
            },
        };
        await using var reader = await batch.ExecuteReaderAsync();
        var locked = new Locked([], []);
        while (await reader.ReadAsync())
            locked.Keys.Add(new OrderingKey(reader.GetString(0), reader.GetString(1)));
        await reader.NextResultAsync();
        while (await reader.ReadAsync())
            locked.Tasks.Add(reader.GetGuid(0));
        return locked;
    }

    private sealed record Locked(List<OrderingKey> Keys, HashSet<Guid> Tasks);

    /// <summary>The result of each task, in submission order; duplicates change the holders of their keys, if these are locked.</summary>
    private static async Task<List<SubmitResult>?> MeetHoldersAsync(NpgsqlConnection connection, NpgsqlTransaction transaction,
        IReadOnlyList<NewTask> tasks, HashSet<Guid> inserted, HashSet<Guid> locked)
    {
        IReadOnlyDictionary<Guid, TakenId> taken = new Dictionary<Guid, TakenId>();
        var holders = new Dictionary<(string, string), TaskState>();
        if (inserted.Count < tasks.Count)
        {
            taken = await ExistingAsync(connection, transaction,
                [.. tasks.Select(t => t.Task.CorrelationId).Where(id => !inserted.Contains(id))]);
            holders = await HoldersAsync(connection, transaction, [.. tasks.Where(t => t.Task.DedupeKey is not null)]);
        }

        var answers = DuplicateRules.Answer(tasks, inserted, taken, holders);
        var changed = answers?.Where(a => a.Result == SubmitStatus.Overwritten).Select(a => a.Task!).Distinct().ToList();
        if (changed?.Exists(t => !locked.Contains(t.CorrelationId)) == true)
            return null; // it took the key meanwhile
        if (changed is { Count: > 0 })
            await ExecuteAsync(connection, transaction, Overwrite(changed, DuplicateRules.Refilled(tasks, answers!)));
        return answers;
    }

    private static IEnumerable<NpgsqlBatchCommand> Overwrite(List<TaskState> changed, List<TaskState> refilled)
    {
        yield return Command(OverwriteTasksSql, Value<Guid[]>([.. refilled.Select(t => t.CorrelationId)]),
            Value<string[]>([.. refilled.Select(t => t.Payload)]), Value<string?[]>([.. refilled.Select(t => t.Name)]));
        yield return Command(OverwriteReadySql, Value<Guid[]>([.. changed.Select(t => t.CorrelationId)]),
            Value<DateTime[]>([.. changed.Select(t => t.DueAt)]), Value<DateTime?[]>([.. changed.Select(t => t.ExpiresAt)]),
            Value<DateTime?[]>([.. changed.Select(t => t.DispatchAt)]), Value<int[]>([.. changed.Select(t => t.Octets)]),
            Value<bool[]>([.. changed.Select(refilled.Contains)]), Value<string?[]>([.. changed.Select(t => t.Name)]));
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
        NpgsqlConnection connection, NpgsqlTransaction transaction, List<NewTask> tasks)
    {
        await using var command = new NpgsqlCommand(HoldersSql, connection, transaction);
        command.Parameters.Add(Value<string[]>([.. tasks.Select(t => t.Task.Queue)]));
        command.Parameters.Add(Value<string[]>([.. tasks.Select(t => t.Task.DedupeKey!)]));
        await using var reader = await command.ExecuteReaderAsync();
        var holders = new Dictionary<(string, string), TaskState>();
        while (await reader.ReadAsync())
        {
            var task = TaskColumn.ReadRow(TaskColumn.Met, reader);
            holders[(task.Queue, task.DedupeKey!)] = task;
        }

        return holders;
    }

    /// <summary>Retries a transaction on a conflict: a deadlock, two promotions of an ordering key, or a holder that has ended.</summary>
    private static Task<T> RetryRacesAsync<T>(Func<Task<T?>> work)
        where T : class => ConflictRetry.RetryAsync(work, StorageFaults.IsRace);
}
