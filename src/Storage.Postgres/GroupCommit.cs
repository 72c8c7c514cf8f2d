using Npgsql;
using NpgsqlTypes;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    private static readonly string LoadSql =
        $"select {TaskColumn.List(TaskColumn.Loaded)} from tasks where id = any($1) order by id for update";

    private static readonly string UpdateSql = UpdateOf(TaskColumn.Changed);

    private static readonly string AppendSql =
        $"""
        insert into task_events (stream, task_id, type, queue, tier, attempt, worker, error, at, due_at, dispatch, frees)
        select $1, u.* from unnest({Placeholders(11, from: 2)}) as u
        """;

    private const string CountSql =
        """
        insert into queue_counts (queue, tier, stream, type, count)
        select u.queue, u.tier, $1, u.type, u.count from unnest($2, $3, $4, $5) as u(queue, tier, type, count)
        on conflict (queue, tier, stream, type) do update set count = queue_counts.count + excluded.count
        """;

    private const string CountLinesSql =
        """
        insert into batch_counts (batch_id, stream, line_end, count)
        select u.batch_id, $1, u.line_end, u.count from unnest($2, $3, $4) as u(batch_id, line_end, count)
        on conflict (batch_id, stream, line_end) do update set count = batch_counts.count + excluded.count
        """;

    private const string AddCallbacksSql =
        """
        insert into callbacks (subject_id, url, body, state, attempts, due_at, log, created_at, owner, origin)
        select u.subject_id, u.url, u.body, 0, 0, u.at, '[]', u.at, u.owner, u.origin
            from unnest($1, $2, $3, $4, $5, $6) as u(subject_id, url, body, at, owner, origin)
        """;

    // Two concurrent transactions would not see each other's dead letter: each waits for the commit of the previous one.
    private const string LockDeadLettersSql = "select pg_advisory_xact_lock($1, hashtext($2))";

    private const string EvictSql =
        """
        update tasks set delete_at = $3, dead = false
        where dead and id in (
            select id from tasks where queue = $1 and dead and delete_at > $3 order by finished_at desc, id desc offset $2)
        """;

    public async Task<ITaskSession> BeginAsync()
    {
        var connection = await source.OpenConnectionAsync();
        try
        {
            return new Session(connection, await connection.BeginTransactionAsync());
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private static string UpdateOf(TaskColumn[] columns) =>
        $"""
        update tasks t set {string.Join(", ", columns.Select(c => $"{c.Name} = u.{c.Name}"))}
        from unnest({Placeholders(columns.Length + 1)}) as u(id, {TaskColumn.List(columns)})
        where t.id = u.id
        """;

    private static NpgsqlBatchCommand Update(string sql, TaskColumn[] columns, IReadOnlyList<TaskState> tasks) =>
        Command(sql, [.. ColumnArrays.ArraysOf([TaskColumn.Id, .. columns], tasks)]);

    private static string Placeholders(int count, int from = 1) => string.Join(", ", Enumerable.Range(from, count).Select(i => $"${i}"));

    /// <summary>
    /// Locks a partition, then appends the events to it and counts the completions among them. Must be the last step before a commit.
    /// </summary>
    private static IEnumerable<NpgsqlBatchCommand> Append(IReadOnlyList<TaskEvent> events)
    {
        if (events.Count == 0)
            yield break;
        var stream = PickStream();
        yield return LockStream(stream);
        var written = events.Where(e => e.IsWritten).ToList();
        if (written.Count > 0)
            yield return Append(stream, written);
        var ends = events.Where(e => TaskEvent.IsTerminal(e.Type)).CountBy(e => (e.Queue, e.Tier, e.Type))
            .OrderBy(c => c.Key.Queue, StringComparer.Ordinal).ThenBy(c => c.Key.Tier).ThenBy(c => c.Key.Type).ToList();
        if (ends.Count > 0)
        {
            yield return Command(CountSql, Value(stream), Value<string[]>([.. ends.Select(c => c.Key.Queue)]),
                Value<int[]>([.. ends.Select(c => c.Key.Tier)]),
                Value<int[]>([.. ends.Select(c => (int)c.Key.Type)]), Value<long[]>([.. ends.Select(c => (long)c.Value)]));
        }

        var lines = events.Where(e => e.Line is not null).CountBy(e => e.Line!.Value).OrderBy(c => c.Key).ToList();
        if (lines.Count > 0)
        {
            yield return Command(CountLinesSql, Value(stream), Value<Guid[]>([.. lines.Select(c => c.Key.Batch)]),
                Value<int[]>([.. lines.Select(c => (int)c.Key.End)]), Value<int[]>([.. lines.Select(c => c.Value)]));
        }
    }

    private static NpgsqlBatchCommand AddCallbacks(IReadOnlyList<DueCallback> dueCallbacks) =>
        Command(AddCallbacksSql, Value<Guid[]>([.. dueCallbacks.Select(o => o.SubjectId)]),
            Value<string[]>([.. dueCallbacks.Select(o => o.Url)]),
            Value<string[]>([.. dueCallbacks.Select(o => o.Body)]), Value<DateTime[]>([.. dueCallbacks.Select(o => o.At)]),
            new NpgsqlParameter<string?[]> { TypedValue = [.. dueCallbacks.Select(o => o.Owner)] },
            Value<string[]>([.. dueCallbacks.Select(o => o.Origin)]));

    private static NpgsqlBatchCommand Append(int stream, List<TaskEvent> events)
    {
        return Command(AppendSql, Value(stream),
            Array(NpgsqlDbType.Uuid, e => e.TaskId), Array(NpgsqlDbType.Integer, e => (int)e.Type),
            Array(NpgsqlDbType.Text, e => e.Queue), Array(NpgsqlDbType.Integer, e => e.Tier),
            Array(NpgsqlDbType.Integer, e => e.Attempt), Array(NpgsqlDbType.Text, e => e.Worker),
            Array(NpgsqlDbType.Text, e => e.Error), Array(NpgsqlDbType.TimestampTz, e => e.At),
            Array(NpgsqlDbType.TimestampTz, e => e.DueAt), Array(NpgsqlDbType.Boolean, e => e.Dispatch),
            Array(NpgsqlDbType.Boolean, e => e.ReleasesCapacity));

        NpgsqlParameter Array<T>(NpgsqlDbType type, Func<TaskEvent, T> get) =>
            new NpgsqlParameter<T[]> { TypedValue = [.. events.Select(get)], NpgsqlDbType = NpgsqlDbType.Array | type };
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, NpgsqlTransaction transaction,
        IEnumerable<NpgsqlBatchCommand> commands, int? timeoutSeconds = null)
    {
        await using var batch = new NpgsqlBatch(connection, transaction);
        batch.Timeout = timeoutSeconds ?? batch.Timeout;
        foreach (var command in commands)
            batch.BatchCommands.Add(command);
        if (batch.BatchCommands.Count > 0)
            await batch.ExecuteNonQueryAsync();
    }

    private sealed class Session(NpgsqlConnection connection, NpgsqlTransaction transaction) : ITaskSession
    {
        public async Task<Dictionary<Guid, TaskState>> LoadAsync(IReadOnlyList<Guid> ids)
        {
            await using var command = new NpgsqlCommand(LoadSql, connection, transaction);
            command.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = [.. ids] });
            await using var reader = await command.ExecuteReaderAsync();
            var tasks = new Dictionary<Guid, TaskState>(ids.Count);
            while (await reader.ReadAsync())
            {
                var task = TaskColumn.ReadRow(TaskColumn.Loaded, reader);
                tasks.Add(task.CorrelationId, task);
            }

            return tasks;
        }

        public async Task SaveAsync(IReadOnlyList<TaskState> inserts, IReadOnlyList<TaskState> updates)
        {
            try
            {
                await WriteAsync(inserts, updates);
                await transaction.CommitAsync();
            }
            catch (PostgresException taken) when (taken is { SqlState: PostgresErrorCodes.UniqueViolation,
                ConstraintName: TaskDbContext.DedupeIndex })
            {
                throw new DedupeKeyTakenException(taken);
            }
        }

        private async Task WriteAsync(IReadOnlyList<TaskState> inserts, IReadOnlyList<TaskState> updates)
        {
            List<NpgsqlBatchCommand> rows = [];
            if (inserts.Count > 0)
                rows.Add(Command(InsertNewTasksSql, [.. InsertValues(inserts)]));
            if (updates.Count > 0)
                rows.Add(Update(UpdateSql, TaskColumn.Changed, updates));
            var dueCallbacks = TaskChanges.DueCallbacks(updates);
            if (dueCallbacks.Count > 0)
                rows.Add(AddCallbacks(dueCallbacks));
            foreach (var full in TaskChanges.FullQueues(updates))
            {
                rows.Add(Command(LockDeadLettersSql, Value(DeadLettersLockSpace), Value(full.Queue)));
                rows.Add(Command(EvictSql, Value(full.Queue), Value(full.Settings.DeadLetters.MaxSize), Value(full.FinishedAt!.Value)));
            }

            var appends = Append([.. inserts.Concat(updates).SelectMany(t => t.Events)]);
            var orderingKeys = TaskChanges.Promotable(updates);
            if (orderingKeys.Count == 0)
            {
                await ExecuteAsync(connection, transaction, [.. rows, .. appends]);
            }
            else
            {
                await ExecuteAsync(connection, transaction, rows);
                await PromoteAsync(connection, transaction, orderingKeys);
                await ExecuteAsync(connection, transaction, appends);
            }

            if (inserts.Count > 0 && rows[0].Rows < (ulong)inserts.Count)
                throw new TaskIdTakenException();
        }

        public async ValueTask DisposeAsync()
        {
            await transaction.DisposeAsync();
            await connection.DisposeAsync();
        }
    }
}
