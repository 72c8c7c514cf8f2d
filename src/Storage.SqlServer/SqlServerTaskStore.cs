using System.Data;
using System.Data.Common;
using Microsoft.Data.SqlClient;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Scaling;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Hosting;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

/// <summary>
/// The store on SQL Server. As on PostgreSQL every transaction that appends events first locks one of the event streams until it
/// ends. Locks are taken ordering keys first, then rows, in the order of ids, then dead letters, then the partition. A statement that
/// decides by
/// what it reads does so on the newest state: so it does the same whether readers see row versions (READ_COMMITTED_SNAPSHOT) or wait
/// for locks. An update lock that is taken through an index locks its key alone, and a change goes the other way, from row to key: so
/// rows that are to be locked are found by a plain read first, and locked by their ids.
/// </summary>
internal sealed partial class SqlServerTaskStore(string connectionString) : ITaskStore, IQueueStore, ICallbackStore, IBacklogStore
{
    /// <summary>For rows that are to be changed: waits for whoever has one.</summary>
    private const string Locked = "with (updlock, rowlock, forceseek)";

    /// <summary>For rows that are changed by their ids: a plan that reads the whole table would wait for rows of everybody.</summary>
    private const string Sought = "with (rowlock, forceseek)";

    /// <summary>The newest state, also where readers see row versions.</summary>
    private const string Newest = "with (readcommittedlock)";

    /// <summary>For rows of which any will do: passes over those that somebody has.</summary>
    private const string Skipping = "with (updlock, readpast, rowlock, readcommittedlock)";

    /// <summary>The same of rows that are taken by their ids.</summary>
    private const string SkippingSought = "with (updlock, readpast, rowlock, forceseek)";

    /// <summary>First in a batch of more than one statement: after an error nothing of it can be committed.</summary>
    private const string AllOrNothing = "set xact_abort on;";

    // sp_getapplock tells by its return code alone what became of it.
    private static string LockStreamText => TakeLock("concat(N'taskqueue:stream:', @stream)");

    private static readonly Statement LockStreamSql = new(LockStreamText, Int("@stream"));

    /// <summary>Two transactions rarely draw the same stream; when they do, one waits for the other's commit.</summary>
    private static int PickStream() => Random.Shared.Next(TaskEvent.Streams);

    /// <summary>Takes a lock of the transaction; the name is an expression.</summary>
    private static string TakeLock(string name) =>
        $"""
        declare @granted int, @resource nvarchar(255) = {name};
        exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
        if @granted < 0 throw {SqlServerFaults.LockNotGranted}, 'a lock was not granted', 1;
        """;

    private Task<SqlConnection> OpenAsync() => OpenAsync(connectionString, CancellationToken.None);

    private static async Task<SqlConnection> OpenAsync(string connectionString, CancellationToken cancellationToken)
    {
        var connection = new SqlConnection(connectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Reads the rows of the one result that a statement has.</summary>
    private static async Task<List<T>> ReadAsync<T>(SqlConnection connection, SqlTransaction? transaction, Statement statement,
        Func<DbDataReader, T> read, params object?[] values)
    {
        await using var command = statement.On(connection, transaction, values);
        return await ReadAsync(command, read);
    }

    private static async Task<List<T>> ReadAsync<T>(SqlCommand command, Func<DbDataReader, T> read)
    {
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<T>();
        while (await reader.ReadAsync())
            rows.Add(read(reader));
        // An error of a later statement of the batch is thrown here, or never.
        while (await reader.NextResultAsync())
        {
        }

        return rows;
    }

    /// <summary>The same on a connection of its own; where readers wait for locks, they may be the victims of deadlocks.</summary>
    private Task<List<T>> QueryAsync<T>(Statement statement, Func<DbDataReader, T> read, params object?[] values) =>
        QueryAsync(statement, read, seconds: null, values);

    /// <summary>The same of a statement that reads a whole queue, or all.</summary>
    private Task<List<T>> QueryLongAsync<T>(Statement statement, Func<DbDataReader, T> read, params object?[] values) =>
        QueryAsync(statement, read, StorageRegistration.LongCommandSeconds, values);

    private Task<List<T>> QueryAsync<T>(Statement statement, Func<DbDataReader, T> read, int? seconds, object?[] values) =>
        RetryRacesAsync<List<T>>(async () =>
    {
        await using var connection = await OpenAsync();
        await using var command = statement.On(connection, null, values);
        command.CommandTimeout = seconds ?? command.CommandTimeout;
        return await ReadAsync(command, read);
    });

    private static async Task<int> ExecuteAsync(SqlConnection connection, SqlTransaction? transaction, Statement statement,
        params object?[] values)
    {
        await using var command = statement.On(connection, transaction, values);
        return await command.ExecuteNonQueryAsync();
    }

    /// <summary>One statement about a whole queue, tried again where it lost a race.</summary>
    private Task<int> RunAsync(Statement statement, params object?[] values) => RetryRacesAsync(async () =>
    {
        await using var connection = await OpenAsync();
        await using var command = statement.On(connection, null, values);
        command.CommandTimeout = StorageRegistration.LongCommandSeconds;
        return (int?)await command.ExecuteNonQueryAsync();
    });

    /// <summary>Work in a transaction that the work commits, tried again where it lost a race or found something gone (null).</summary>
    private Task<T> InTransactionAsync<T>(Func<SqlConnection, SqlTransaction, Task<T?>> work)
        where T : class => RetryRacesAsync(async () =>
    {
        await using var connection = await OpenAsync();
        await using var transaction = (SqlTransaction)await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted);
        return await work(connection, transaction);
    });

    private static Task<T> RetryRacesAsync<T>(Func<Task<T?>> work)
        where T : class => ConflictRetry.RetryAsync(work, fault => SqlServerFaults.IsRace(fault) || SqlServerFaults.IsDuplicate(fault));

    private static async Task<int> RetryRacesAsync(Func<Task<int?>> work) =>
        (await RetryRacesAsync<object>(async () => await work()) as int?)!.Value;

    private static DateTime? ReadTime(DbDataReader reader, int column) => reader.IsDBNull(column) ? null : StoredValue.Time(reader, column);
}
