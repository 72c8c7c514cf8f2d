using Npgsql;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    private const string LoadCursorsSql = "select id, cursor from event_streams";

    private const string SaveCursorsSql =
        "update event_streams s set cursor = u.cursor from unnest($1) with ordinality as u(cursor, ord) where s.id = u.ord - 1 and "
            + "s.cursor < u.cursor";

    private const string EndOfEventsSql = "select s.id, coalesce((select max(e.id) from task_events e where e.stream = s.id), 0) from "
        + "event_streams s";

    private static readonly string ReadForDispatchSql =
        $"""
        select {TaskColumn.List(TaskColumn.All, "t.")} from tasks t join (
            select s.id from (
                select id, octet_length(payload) + coalesce(octet_length(headers), 0) as octets,
                    sum(octet_length(payload) + coalesce(octet_length(headers),
                        0)) over (order by id rows unbounded preceding) as octets_so_far
                from tasks where id = any($1) and state in {SqlStates.Waiting}) as s
            where s.octets_so_far <= $2 or s.octets_so_far = s.octets) as f on f.id = t.id
        order by t.id
        """;

    private const string Channel = "taskqueue_events";

    private const string ReadEventsSql =
        """
        select e.stream, e.id, e.task_id, e.type, e.queue, e.tier, e.attempt, e.worker, left(e.error, 1000), e.at, e.due_at, e.dispatch,
            e.frees
        from unnest($1) with ordinality as s(cursor, ord)
        cross join lateral (
            select * from task_events e where e.stream = s.ord - 1 and e.id > s.cursor order by e.id limit $2) as e
        order by e.id
        """;

    public async Task<IOutboxLease?> TryAcquireOutboxLeaseAsync(Action wake, CancellationToken cancellationToken)
    {
        var connection = await source.OpenConnectionAsync(cancellationToken);
        try
        {
            await using var command = new NpgsqlCommand($"select pg_try_advisory_lock({LockSpace}, {DispatcherLock})", connection);
            if (await command.ExecuteScalarAsync(cancellationToken) is true)
            {
                command.CommandText = $"listen {Channel}";
                await command.ExecuteNonQueryAsync(cancellationToken);
                return new OutboxLease(connection, wake);
            }
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }

        await connection.DisposeAsync();
        return null;
    }

    public async Task WakeDispatcherAsync()
    {
        await using var command = source.CreateCommand($"notify {Channel}");
        await command.ExecuteNonQueryAsync();
    }

    public async Task<long[]> LoadCursorsAsync()
    {
        var cursors = new long[TaskEvent.Streams];
        await using var command = source.CreateCommand(LoadCursorsSql);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            cursors[reader.GetInt32(0)] = reader.GetInt64(1);
        return cursors;
    }

    public async Task SaveCursorsAsync(long[] cursors)
    {
        await using var command = source.CreateCommand(SaveCursorsSql);
        command.Parameters.Add(Value(cursors));
        await command.ExecuteNonQueryAsync();
    }

    public async Task<long[]> EndOfEventsAsync()
    {
        var cursors = new long[TaskEvent.Streams];
        await using var command = source.CreateCommand(EndOfEventsSql);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            cursors[reader.GetInt32(0)] = reader.GetInt64(1);
        return cursors;
    }

    public async Task<IReadOnlyList<TaskEvent>> ReadEventsAsync(long[] cursors, int max)
    {
        await using var command = source.CreateCommand(ReadEventsSql);
        command.Parameters.Add(Value(cursors));
        command.Parameters.Add(Value(max));
        await using var reader = await command.ExecuteReaderAsync();
        var events = new List<TaskEvent>();
        while (await reader.ReadAsync())
            events.Add(EventReader.Read(reader));
        return EventReader.Complete(events, max);
    }

    public async Task<IReadOnlyList<TaskState>> ReadForDispatchAsync(IReadOnlyList<Guid> ids, long maxBytes)
    {
        await using var command = source.CreateCommand(ReadForDispatchSql);
        command.Parameters.Add(Value(ids.ToArray()));
        command.Parameters.Add(Value(maxBytes));
        await using var reader = await command.ExecuteReaderAsync();
        var tasks = new List<TaskState>(ids.Count);
        while (await reader.ReadAsync())
            tasks.Add(TaskColumn.ReadRow(TaskColumn.All, reader));
        return tasks;
    }

    /// <summary>Holds a session-level lock, which ends with its connection; the connection also listens for notifications.</summary>
    private sealed class OutboxLease : IOutboxLease
    {
        private readonly NpgsqlConnection _connection;
        private readonly CancellationTokenSource _stop = new();

        public OutboxLease(NpgsqlConnection connection, Action wake)
        {
            _connection = connection;
            connection.Notification += (_, _) => wake();
            Lost = ListenAsync();
        }

        public Task Lost { get; }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await Lost.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_connection.State == System.Data.ConnectionState.Open)
            {
                // A connection returned to the pool would keep the lock until its next use.
                await using var unlock = new NpgsqlCommand($"unlisten *; select pg_advisory_unlock({LockSpace}, {DispatcherLock})",
                    _connection);
                await unlock.ExecuteNonQueryAsync();
            }

            await _connection.DisposeAsync();
            _stop.Dispose();
        }

        private async Task ListenAsync()
        {
            while (true)
                await _connection.WaitAsync(_stop.Token);
        }
    }
}
