using System.Data.Common;
using System.Globalization;

namespace TaskQueue.Bench.Servers;

/// <summary>The database server of the run.</summary>
internal interface IBenchServer : IAsyncDisposable
{
    /// <summary>A new database with the schema; gone when disposed.</summary>
    Task<BenchDatabase> CreateAsync();

    /// <summary>Product and version.</summary>
    Task<string> VersionAsync();
}

/// <summary>A database of a scenario; gone when disposed. What is said the same everywhere is SQL, the rest a method.</summary>
internal abstract class BenchDatabase(string connectionString, CancellationToken cancellationToken) : IAsyncDisposable
{
    private static readonly TimeSpan SettleDeadline = TimeSpan.FromMinutes(10);

    public string ConnectionString => connectionString;

    protected CancellationToken Stop => cancellationToken;

    /// <summary>What the references of submissions and claims are made by.</summary>
    public abstract string Tool { get; }

    /// <summary>1 while an event is not published, else 0.</summary>
    protected abstract string EventsWait { get; }

    /// <summary>1 while a push task is on its way or a task runs, else 0: of partial indexes only, however many tasks there are.</summary>
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

    /// <summary>Tasks of which a condition is true; without one, all.</summary>
    public Task<long> CountTasksAsync(string? condition = null) =>
        ReadAsync($"select count(*) from tasks{(condition is null ? "" : $" where {condition}")}");

    /// <summary>Tasks that completed, whether their rows are there or not.</summary>
    public Task<long> CountCompletedAsync() => ReadAsync("select sum(count) from queue_counts where type = 3");

    /// <summary>Lets the planner know what is in a table, and leaves nothing to clean up.</summary>
    public abstract Task TidyAsync(string table);

    /// <summary>
    /// Writes rows for the numbers from first on, by SQL: by the million it is quicker. Numbers make
    /// the ids, so those of one database must not meet.
    /// </summary>
    public abstract Task InsertTasksAsync(TaskRow row, long first, int count);

    /// <summary>Clients that insert rows of a payload into a plain table, which is empty at the start.</summary>
    /// <returns>Statements per second.</returns>
    public abstract Task<double> InsertPlainAsync(string payload, int clients, int rowsPerStatement, TimeSpan time);

    /// <summary>Clients that claim rows of a plain table, of which so many wait.</summary>
    /// <returns>Statements per second.</returns>
    public abstract Task<double> ClaimPlainAsync(string payload, int waiting, int clients, int rowsPerStatement, int statementsPerClient);

    /// <summary>Waits until no push task is on its way and no task runs.</summary>
    public Task WaitUntilIdleAsync() => WaitWhileAsync(TasksWait, "every task has ended");

    /// <summary>Waits until nothing is left of the load before, and lets the next one begin with a fresh checkpoint.</summary>
    public async Task SettleAsync()
    {
        await WaitUntilIdleAsync();
        await WaitWhileAsync(EventsWait, "every event is published");
        await ExecuteAsync("checkpoint");
    }

    public abstract ValueTask DisposeAsync();

    /// <summary>A connection that no pool keeps.</summary>
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

/// <summary>A task as a row that SQL makes from a number, as the engine would have written it.</summary>
/// <param name="Queue">The queue of most.</param>
/// <param name="Queues">Where the number is at the end of the queue's name: how many there are.</param>
/// <param name="Tier">Its tier.</param>
/// <param name="MaxAttempts">How often it may be tried.</param>
/// <param name="IsFinished">Completed long ago, or waiting and due for long.</param>
internal sealed record TaskRow(string Queue, int Queues = 0, int Tier = 0, int MaxAttempts = 4, bool IsFinished = false);
