using System.Data.Common;
using System.Globalization;

namespace TaskQueue.Bench.Servers;

/// <summary>The database server of the run.</summary>
internal interface IBenchServer : IAsyncDisposable
{
    /// <summary>Creates a database with the schema; dropped when disposed.</summary>
    Task<BenchDatabase> CreateAsync();

    /// <summary>Product and version.</summary>
    Task<string> VersionAsync();
}

/// <summary>A scenario's database; dropped when disposed. Portable SQL is shared here, the rest are abstract methods.</summary>
internal abstract class BenchDatabase(string connectionString, CancellationToken cancellationToken) : IAsyncDisposable
{
    private static readonly TimeSpan SettleDeadline = TimeSpan.FromMinutes(10);

    public string ConnectionString => connectionString;

    protected CancellationToken Stop => cancellationToken;

    /// <summary>Name of the tool that runs the submit and claim references.</summary>
    public abstract string Tool { get; }

    /// <summary>SQL: 1 while an event is unpublished, else 0.</summary>
    protected abstract string EventsWait { get; }

    /// <summary>SQL: 1 while a push task is dispatched or a task runs, else 0. Uses only partial indexes: cheap at any size.</summary>
    protected abstract string TasksWait { get; }

    public async Task ExecuteAsync(string sql)
    {
        await using var connection = await OpenAsync();
        await using var command = Command(connection, sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public async Task<long> ReadAsync(string sql)
    {
        await using var connection = await OpenAsync();
        return await ReadAsync(connection, sql);
    }

    /// <summary>Counts tasks, optionally those that meet a condition.</summary>
    public Task<long> CountTasksAsync(string? condition = null) =>
        ReadAsync($"select count(*) from tasks{(condition is null ? "" : $" where {condition}")}");

    /// <summary>Counts completed tasks, including removed ones.</summary>
    public Task<long> CountCompletedAsync() => ReadAsync("select sum(count) from queue_counts where type = 3");

    /// <summary>Updates a table's planner statistics and, where applicable, vacuums it.</summary>
    public abstract Task TidyAsync(string table);

    /// <summary>
    /// Inserts rows for consecutive numbers with SQL, which is faster for millions of rows. Ids derive from the numbers, so ranges in
    /// one database must not overlap.
    /// </summary>
    public abstract Task InsertTasksAsync(TaskRow row, long first, int count);

    /// <summary>Inserts rows with a payload into an empty plain table from several clients.</summary>
    /// <returns>Statements per second.</returns>
    public abstract Task<double> InsertPlainAsync(string payload, int clients, int rowsPerStatement, TimeSpan time);

    /// <summary>Claims rows of a plain table with a given number of waiting rows from several clients.</summary>
    /// <returns>Statements per second.</returns>
    public abstract Task<double> ClaimPlainAsync(string payload, int waiting, int clients, int rowsPerStatement, int statementsPerClient);

    /// <summary>Waits until no push task is dispatched and no task runs.</summary>
    public Task WaitUntilIdleAsync() => WaitWhileAsync(TasksWait, "every task has ended");

    /// <summary>Waits until the previous load has drained, and forces a checkpoint before the next one.</summary>
    public async Task SettleAsync()
    {
        await WaitUntilIdleAsync();
        await WaitWhileAsync(EventsWait, "every event is published");
        await ExecuteAsync("checkpoint");
    }

    public abstract ValueTask DisposeAsync();

    /// <summary>Opens an unpooled connection.</summary>
    protected abstract DbConnection Connect();

    private async Task<DbConnection> OpenAsync()
    {
        var connection = Connect();
        await connection.OpenAsync(cancellationToken);
        return connection;
    }

    private static DbCommand Command(DbConnection connection, string sql)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        command.CommandTimeout = 3600;
        return command;
    }

    private static async Task<long> ReadAsync(DbConnection connection, string sql)
    {
        await using var command = Command(connection, sql);
        return Convert.ToInt64(await command.ExecuteScalarAsync(), CultureInfo.InvariantCulture);
    }

    private async Task WaitWhileAsync(string sql, string what)
    {
        await using var connection = await OpenAsync();
        await Wait.UntilAsync(async () => await ReadAsync(connection, sql) == 0, SettleDeadline, what, cancellationToken);
    }
}

/// <summary>A task row that SQL generates from a number, as the engine would write it.</summary>
/// <param name="Queue">Name of the queue, or the prefix of the names of several.</param>
/// <param name="Queues">Number of queues, if their names end in a number.</param>
/// <param name="Tier">Tier of the task.</param>
/// <param name="MaxAttempts">Maximum number of attempts.</param>
/// <param name="IsFinished">Whether it completed long ago; otherwise it waits and has long been due.</param>
internal sealed record TaskRow(string Queue, int Queues = 0, int Tier = 0, int MaxAttempts = 4, bool IsFinished = false);
