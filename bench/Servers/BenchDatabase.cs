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
    private const int Chunk = 1_000_000;

    private static readonly TimeSpan WaitDeadline = TimeSpan.FromMinutes(10);

    /// <summary>
    /// A process overlooks tasks that others let wait at an earlier time than it has claimed up to; every two seconds it looks for them.
    /// </summary>
    private static readonly TimeSpan Overlooked = TimeSpan.FromSeconds(3);

    public string ConnectionString => connectionString;

    protected CancellationToken Stop => cancellationToken;

    /// <summary>Name of the tool that runs the submit and claim references.</summary>
    public abstract string Tool { get; }

    /// <summary>SQL: 1 while an event is unpublished, else 0.</summary>
    protected abstract string EventsWait { get; }

    /// <summary>SQL: 1 while a push task is dispatched or a task runs, else 0. Cheap however many tasks wait or have ended.</summary>
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

    /// <summary>Counts completed tasks that are kept.</summary>
    public Task<long> CountKeptAsync() => ReadAsync("select count(*) from outcomes where state = 5");

    /// <summary>Counts completed tasks, including removed ones.</summary>
    public Task<long> CountCompletedAsync() => ReadAsync("select sum(count) from queue_counts where type = 3");

    /// <summary>Updates a table's planner statistics and, where applicable, vacuums it.</summary>
    public abstract Task TidyAsync(string table);

    /// <summary>The same for all tables of tasks.</summary>
    public async Task TidyTasksAsync()
    {
        foreach (var table in (string[])["tasks", "ready", "running", "outcomes"])
            await TidyAsync(table);
    }

    /// <summary>
    /// Inserts rows for consecutive numbers with SQL, which is faster for millions of rows. Ids derive from the numbers, so ranges in
    /// one database must not overlap. Claims find the tasks when it returns.
    /// </summary>
    public async Task InsertTasksAsync(TaskRow row, long first, int count)
    {
        for (var next = first; next < first + count; next += Chunk)
            await ExecuteAsync(InsertOf(row, next, Math.Min(Chunk, first + count - next)));
        if (count > 0 && !row.IsFinished)
            await Task.Delay(Overlooked, cancellationToken);
    }

    /// <summary>Inserts rows with a payload into an empty plain table from several clients.</summary>
    /// <returns>Statements per second.</returns>
    public abstract Task<double> InsertPlainAsync(string payload, int clients, int rowsPerStatement, TimeSpan time);

    /// <summary>Claims rows of a plain table with a given number of waiting rows from several clients.</summary>
    /// <returns>Statements per second.</returns>
    public abstract Task<double> ClaimPlainAsync(string payload, int waiting, int clients, int rowsPerStatement, int statementsPerClient);

    /// <summary>Waits until a query gives a value. Asks on one connection, since each new one costs the machine milliseconds.</summary>
    public async Task WaitUntilAsync(string sql, long value, string what)
    {
        await using var connection = await OpenAsync();
        await Wait.UntilAsync(async () => await ReadAsync(connection, sql) == value, WaitDeadline, what, cancellationToken);
    }

    /// <summary>Waits until no push task is dispatched and no task runs.</summary>
    public Task WaitUntilIdleAsync() => WaitUntilAsync(TasksWait, 0, "every task has ended");

    /// <summary>Waits until the previous load has drained, and forces a checkpoint before the next one.</summary>
    public async Task SettleAsync()
    {
        await WaitUntilIdleAsync();
        await WaitUntilAsync(EventsWait, 0, "every event is published");
        await ExecuteAsync("checkpoint");
    }

    public abstract ValueTask DisposeAsync();

    /// <summary>SQL: inserts rows for consecutive numbers.</summary>
    protected abstract string InsertOf(TaskRow row, long first, long count);

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
}
