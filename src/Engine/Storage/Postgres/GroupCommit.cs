using Npgsql;
using NpgsqlTypes;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    private static readonly string LoadSql =
        $"select {TaskColumn.List(TaskColumn.Loaded)} from tasks where id = any($1) order by id for update";

    private static readonly string UpdateSql =
        $"""
        update tasks t set {string.Join(", ", TaskColumn.Changed.Select(c => $"{c.Name} = u.{c.Name}"))}
        from unnest({Placeholders(TaskColumn.Changed.Length + 1)}) as u(id, {TaskColumn.List(TaskColumn.Changed)})
        where t.id = u.id
        """;

    private static readonly string AppendSql =
        $"""
        insert into task_events (stream, task_id, type, queue, level, attempt, worker, error, at, due_at, dispatch)
        select $1, u.* from unnest({Placeholders(10, from: 2)}) as u
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

    private static string Placeholders(int count, int from = 1) => string.Join(", ", Enumerable.Range(from, count).Select(i => $"${i}"));

    private static NpgsqlBatchCommand Append(int stream, List<TaskEvent> events)
    {
        return Command(AppendSql, Value(stream),
            Array(NpgsqlDbType.Uuid, e => e.TaskId), Array(NpgsqlDbType.Integer, e => (int)e.Type),
            Array(NpgsqlDbType.Text, e => e.Queue), Array(NpgsqlDbType.Integer, e => e.Level),
            Array(NpgsqlDbType.Integer, e => e.Attempt), Array(NpgsqlDbType.Text, e => e.Worker),
            Array(NpgsqlDbType.Text, e => e.Error), Array(NpgsqlDbType.TimestampTz, e => e.At),
            Array(NpgsqlDbType.TimestampTz, e => e.DueAt), Array(NpgsqlDbType.Boolean, e => e.Dispatch));

        NpgsqlParameter Array<T>(NpgsqlDbType type, Func<TaskEvent, T> get) =>
            new NpgsqlParameter<T[]> { TypedValue = [.. events.Select(get)], NpgsqlDbType = NpgsqlDbType.Array | type };
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
            await using var batch = new NpgsqlBatch(connection, transaction);
            if (inserts.Count > 0)
                batch.BatchCommands.Add(Command(InsertTasksSql, [.. InsertValues(inserts)]));
            if (updates.Count > 0)
                batch.BatchCommands.Add(Command(UpdateSql, [TaskColumn.Id.ArrayOf(updates), .. TaskColumn.Changed.Select(c => c.ArrayOf(updates))]));
            var events = inserts.Concat(updates).SelectMany(t => t.Events).ToList();
            if (events.Count > 0)
            {
                var stream = PickStream();
                batch.BatchCommands.Add(LockStream(stream));
                batch.BatchCommands.Add(Append(stream, events));
            }

            await batch.ExecuteNonQueryAsync();
            if (inserts.Count > 0 && batch.BatchCommands[0].Rows < (ulong)inserts.Count)
                throw new TaskIdTakenException();
            await transaction.CommitAsync();
        }

        public async ValueTask DisposeAsync()
        {
            await transaction.DisposeAsync();
            await connection.DisposeAsync();
        }
    }
}
