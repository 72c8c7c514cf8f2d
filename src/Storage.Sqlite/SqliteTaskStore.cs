using Microsoft.Data.Sqlite;
using TaskQueue.Engine;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Scaling;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

/// <summary>
/// The store on SQLite: one connection, used by one caller at a time. The database has a single writer anyway, and waiting for our own lock
/// is fair, whereas waiting for SQLite's is polling. So one partition is sufficient.
/// </summary>
internal sealed partial class SqliteTaskStore(string connectionString)
    : ITaskStore, IQueueStore, ICallbackStore, IBacklogStore, IAsyncDisposable
{
    /// <summary>The only partition in use.</summary>
    private const int Partition = 0;

    private readonly SemaphoreSlim _lock = new(1);
    private readonly Dictionary<string, SqliteCommand> _prepared = new(ReferenceEqualityComparer.Instance);
    private SqliteConnection? _connection;
    private bool _disposed;

    /// <summary>The statements that have been run.</summary>
    internal IReadOnlyCollection<string> Statements => _prepared.Keys;

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return; // the container disposes the store once for each of its interfaces
        _disposed = true;
        await _lock.WaitAsync();
        foreach (var command in _prepared.Values)
            await command.DisposeAsync();
        if (_connection is not null)
            await _connection.DisposeAsync();
        _lock.Dispose();
    }

    /// <summary>Runs work on the connection; if <paramref name="write"/>, in a transaction that commits at the end.</summary>
    private async Task<T> UseAsync<T>(Func<T> work, bool write)
    {
        await _lock.WaitAsync();
        try
        {
            Open();
            if (!write)
                return work();
            Execute("begin immediate");
            var result = work();
            Execute("commit");
            return result;
        }
        catch
        {
            Rollback();
            throw;
        }
        finally
        {
            _lock.Release();
        }
    }

    private void Open()
    {
        if (_connection is not null)
            return;
        var connection = new SqliteConnection(connectionString);
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 5000;";
        command.ExecuteNonQuery();
        _connection = connection;
    }

    /// <summary>
    /// A prepared statement, cached for the lifetime of the connection. It is found by the identity of its text, a constant or static
    /// field, because hashing a long text takes as long as running it. Every call names the same parameters in the same order.
    /// </summary>
    private SqliteCommand Prepare(string sql, params ReadOnlySpan<(string Name, object Value)> values)
    {
        if (!_prepared.TryGetValue(sql, out var command))
        {
            command = Add(sql);
            foreach (var (name, _) in values)
                command.Parameters.Add(new SqliteParameter { ParameterName = name });
        }

        for (var i = 0; i < values.Length; i++)
            command.Parameters[i].Value = values[i].Value;
        return command;
    }

    private SqliteCommand Add(string sql)
    {
        var command = _connection!.CreateCommand();
        command.CommandText = sql;
        _prepared.Add(sql, command);
        return command;
    }

    private int Execute(string sql, params ReadOnlySpan<(string Name, object Value)> values) => Prepare(sql, values).ExecuteNonQuery();

    private int Execute(RowStatement statement, TaskState task)
    {
        var (sql, columns) = statement;
        if (!_prepared.TryGetValue(sql, out var command))
        {
            command = Add(sql);
            foreach (var column in columns)
                command.Parameters.Add(new SqliteParameter { ParameterName = $"@{column.Name}" });
        }

        for (var i = 0; i < columns.Length; i++)
            command.Parameters[i].Value = columns[i].SqliteValue(task);
        return command.ExecuteNonQuery();
    }

    private List<T> Query<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<(string Name, object Value)> values)
    {
        using var reader = Prepare(sql, values).ExecuteReader();
        var rows = new List<T>();
        while (reader.Read())
            rows.Add(read(reader));
        return rows;
    }

    private void Rollback()
    {
        try
        {
            Execute("rollback");
        }
        catch (SqliteException)
        {
            // No transaction was open: SQLite rolls back by itself on some errors.
        }
    }

    private static object OrNull(object? value) => value ?? DBNull.Value;

    private static object OrNull(DateTime? time) => time is { } value ? Micros.FromTime(value) : DBNull.Value;

    private static DateTime? ReadTime(SqliteDataReader row, int column) =>
        row.IsDBNull(column) ? null : Micros.ToTime(row.GetInt64(column));
}
