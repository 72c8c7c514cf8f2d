using Npgsql;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    // Most commands report on attempts, so `running` is read first, and the other tables only for what it does not have. One statement: a
    // task that moves meanwhile is in one of them.
    private static readonly string LoadSql =
        $"""
        with active as materialized (
            select {Loaded(TaskTable.Running)}, r.xmin as version, {IsPartial} from running r where r.id = any($1)),
        others as materialized (
            select array(select u.id from unnest($1) as u(id) where u.id not in (select a.id from active a)) as wanted)
        select * from active
        union all
        select {Loaded(TaskTable.Ready)}, r.xmin, {IsPartial} from ready r where r.id = any((select wanted from others)::uuid[])
        union all
        select {Loaded(TaskTable.Outcomes)}, r.xmin, {IsPartial}
        from outcomes r cross join lateral (select * from tasks t where t.id = r.id offset 0) as t
        where r.id = any((select wanted from others)::uuid[])
        """;

    // Two concurrent transactions would not see each other's dead letter: each waits for the commit of the previous one.
    private const string LockDeadLettersSql = "select pg_advisory_xact_lock($1, hashtext($2))";

    private const string EvictSql =
        """
        update outcomes set delete_at = $3, dead = false
        where id = any(array(
            select id from outcomes where dead and id = any(array(
                select id from outcomes where queue = $1 and dead and delete_at > $3 order by finished_at desc, id desc offset $2))
            for update skip locked))
        """; // one that is locked is being retried or deleted

    private static string Loaded(TaskTable table) =>
        TaskViews.SelectLoaded(table, c => TaskViews.Select([c], table, Missing), text => $"octet_length({text}) <= $2");

    private const string IsPartial = "coalesce(octet_length(r.error) > $2, false)";

    /// <summary>The value of a column that the row of a task does not have.</summary>
    internal static string Missing(TaskColumn column) =>
        column.Name == "octets" ? "octet_length(t.payload) + coalesce(octet_length(t.headers), 0)"
        : column.Name == "crashes" ? "0"
        : column.Type == typeof(bool) ? "false"
        : column.Type == typeof(DateTime) ? "null::timestamptz"
        : "null::text";

    public Task<ITaskSession> BeginAsync() => Task.FromResult<ITaskSession>(new Session(this, source));

    /// <summary>Tasks are waiting since a commit, or others may be that waited behind them.</summary>
    private void Committed(IEnumerable<TaskState> tasks)
    {
        HashSet<string> queues = [];
        foreach (var task in tasks)
        {
            if (task.OrderingKey is not null)
            {
                queues.Add(task.Queue);
                queues.Add(task.StoredQueue);
            }
            else if (task.State is TaskStates.Pending or TaskStates.Retrying)
                _marks.Lower(task);
        }

        foreach (var queue in queues)
            _marks.Forget(queue);
    }

    /// <summary>Reads rows without locking them; the write skips those that have changed since.</summary>
    private sealed class Session(PostgresTaskStore store, NpgsqlDataSource source) : ITaskSession
    {
        public async Task<Dictionary<Guid, TaskState>> LoadAsync(IReadOnlyList<Guid> ids)
        {
            await using var command = source.CreateCommand(LoadSql);
            command.Parameters.Add(Value(ids.ToArray()));
            command.Parameters.Add(Value(TaskMove.MaxErrorBytes(ids.Count)));
            await using var reader = await command.ExecuteReaderAsync();
            var tasks = new Dictionary<Guid, TaskState>(ids.Count);
            while (await reader.ReadAsync())
            {
                var task = TaskColumn.ReadRow(TaskColumn.Loaded, reader);
                tasks[task.CorrelationId] = TaskMove.Loaded(
                    task, reader.GetFieldValue<uint>(TaskColumn.Loaded.Length), reader.GetBoolean(TaskColumn.Loaded.Length + 1));
            }

            return tasks;
        }

        public async Task<Dictionary<Guid, string>> LoadPayloadsAsync(IReadOnlyList<Guid> ids)
        {
            await using var command = source.CreateCommand(PayloadsSql);
            command.Parameters.Add(Value(ids.ToArray()));
            await using var reader = await command.ExecuteReaderAsync();
            var payloads = new Dictionary<Guid, string>(ids.Count);
            while (await reader.ReadAsync())
                payloads[reader.GetGuid(0)] = reader.GetString(1);
            return payloads;
        }

        public async Task<IReadOnlySet<Guid>> SaveAsync(IReadOnlyList<TaskState> inserts, IReadOnlyList<TaskState> updates)
        {
            try
            {
                var missed = await WriteAsync(inserts, updates);
                store.Committed(inserts.Concat(updates));
                return missed;
            }
            catch (PostgresException taken) when (taken is { SqlState: PostgresErrorCodes.UniqueViolation, TableName: TaskTables.Cold })
            {
                throw new TaskIdTakenException();
            }
            catch (PostgresException taken) when (taken is { SqlState: PostgresErrorCodes.UniqueViolation, TableName: "dedupe_keys" })
            {
                throw new DedupeKeyTakenException(taken);
            }
        }

        private async Task<IReadOnlySet<Guid>> WriteAsync(IReadOnlyList<TaskState> inserts, IReadOnlyList<TaskState> updates)
        {
            var orderingKeys = TaskChanges.Promotable(updates);
            List<TaskState> full = [.. TaskChanges.FullQueues(updates)];
            var moves = TaskMove.Of(updates).ToLookup(Moves.TakesKeys);
            var partition = PickPartition();
            var isLong = orderingKeys.Count + full.Count > 0 || moves[true].Any() || updates.Any(TaskChanges.IsChanged);
            int? appendTo = isLong ? null : partition;
            // In the order of locks. The rows of other moves are not waited for.
            List<NpgsqlBatchCommand> commands = [.. moves[true].Select(move => Moves.Write(move, appendTo))];
            if (inserts.Count > 0)
                commands.Add(Inserts.Write(inserts, [.. inserts.SelectMany(t => t.Events)], appendTo));
            if (orderingKeys.Count > 0)
                commands.Add(LockKeys(orderingKeys));
            commands.AddRange(moves[false].Select(move => Moves.Write(move, appendTo)));
            await using var connection = await source.OpenConnectionAsync();
            if (!isLong) // one round trip, a transaction by itself
                return Missed(updates, await RunAsync(connection, null, commands));
            await using var transaction = await connection.BeginTransactionAsync();
            var written = await RunAsync(connection, transaction, commands);
            await ExecuteAsync(connection, transaction, Changes([.. updates.Where(t => written.Contains(t.CorrelationId))]));
            if (orderingKeys.Count > 0)
                await PromoteAsync(connection, transaction, orderingKeys);
            List<NpgsqlBatchCommand> last = [];
            foreach (var queue in full)
            {
                last.Add(Command(LockDeadLettersSql, Value(DeadLettersLockSpace), Value(queue.Queue)));
                last.Add(Command(EvictSql, Value(queue.Queue), Value(queue.Settings.DeadLetters.MaxSize), Value(queue.FinishedAt!.Value)));
            }

            if (Moves.WriteEvents([.. inserts, .. updates.Where(t => written.Contains(t.CorrelationId))], partition) is { } events)
                last.Add(events);
            await ExecuteAsync(connection, transaction, last);
            await transaction.CommitAsync();
            return Missed(updates, written);
        }

        private static HashSet<Guid> Missed(IReadOnlyList<TaskState> updates, HashSet<Guid> written) =>
            written.Count == updates.Count ? [] : [.. updates.Select(t => t.CorrelationId).Where(id => !written.Contains(id))];

        /// <summary>Runs commands that return ids or nothing.</summary>
        private static async Task<HashSet<Guid>> RunAsync(
            NpgsqlConnection connection, NpgsqlTransaction? transaction, List<NpgsqlBatchCommand> commands)
        {
            var ids = new HashSet<Guid>();
            await using var batch = new NpgsqlBatch(connection, transaction);
            foreach (var command in commands)
                batch.BatchCommands.Add(command);
            await using var reader = await batch.ExecuteReaderAsync();
            do
            {
                while (await reader.ReadAsync())
                    ids.Add(reader.GetGuid(0));
            }
            while (await reader.NextResultAsync()); // an error of a later command is thrown here

            return ids;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
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
}
