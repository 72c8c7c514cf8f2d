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
/// The store on SQL Server. As on PostgreSQL every transaction that appends events first locks one of the event partitions until it ends.
/// Locks are acquired in this order: ordering keys, rows by id (of ready, running and outcomes one after the other), dead letters, the
/// partition. A statement that decides by what it reads does so on the latest committed state, so it behaves the same whether readers see
/// row versions (READ_COMMITTED_SNAPSHOT) or wait for locks. An update lock acquired through an index locks only its key, whereas a change
/// locks from row to key: so rows to lock are found by a plain read first, and locked by their ids. Where both rows of a task change, the
/// one that says where it is comes first: that is how lists read them.
/// </summary>
internal sealed partial class SqlServerTaskStore(string connectionString) : ITaskStore, IQueueStore, ICallbackStore, IBacklogStore
{
    /// <summary>Hint for rows to change: waits for the lock holder.</summary>
    private const string Locked = "with (updlock, rowlock, forceseek)";

    /// <summary>Hint for rows changed by id: a plan that scans the whole table would wait for rows of all other transactions.</summary>
    private const string Sought = "with (rowlock, forceseek)";

    /// <summary>Hint for reading the latest state even if readers see row versions.</summary>
    private const string Newest = "with (readcommittedlock)";

    /// <summary>Hint for rows of which any will do: skips locked ones.</summary>
    private const string Skipping = "with (updlock, readpast, rowlock, readcommittedlock)";

    /// <summary>Same for rows selected by id.</summary>
    private const string SkippingSought = "with (updlock, readpast, rowlock, forceseek)";

    /// <summary>Precedes a batch of several statements: after an error nothing of it can be committed.</summary>
    private const string AllOrNothing = "set xact_abort on;";

    // sp_getapplock reports its result only by its return code.
    private static string LockPartitionText => TakeLock("concat(N'taskqueue:partition:', @partition)");

    private static readonly Statement LockPartitionSql = new(LockPartitionText, Int("@partition"));

    /// <summary>Two transactions rarely pick the same partition; if they do, one waits for the other's commit.</summary>
    private static int PickPartition() => Random.Shared.Next(TaskEvent.Partitions);

    /// <summary>Acquires a lock of the transaction; the name is an expression.</summary>
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

    /// <summary>Reads the rows of all result sets of a statement, which have the same columns.</summary>
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
        do
        {
            while (await reader.ReadAsync())
                rows.Add(read(reader));
        }
        while (await reader.NextResultAsync()); // an error of a later statement in the batch is thrown only here
        return rows;
    }

    /// <summary>Same on a connection of its own; where readers wait for locks, they may be deadlock victims.</summary>
    private Task<List<T>> QueryAsync<T>(Statement statement, Func<DbDataReader, T> read, params object?[] values) =>
        QueryAsync(statement, read, seconds: null, values);

    /// <summary>Same for a statement that reads a whole queue, or all queues.</summary>
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

    /// <summary>Runs a statement on a whole queue, retrying on concurrency conflicts.</summary>
    private Task<int> RunAsync(Statement statement, params object?[] values) => RetryRacesAsync(async () =>
    {
        await using var connection = await OpenAsync();
        await using var command = statement.On(connection, null, values);
        command.CommandTimeout = StorageRegistration.LongCommandSeconds;
        return (int?)await command.ExecuteNonQueryAsync();
    });

    /// <summary>Runs work that commits its transaction, retrying on concurrency conflicts and on missing rows (null).</summary>
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
