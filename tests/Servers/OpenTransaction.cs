using Npgsql;

namespace TaskQueue.Tests.Servers;

/// <summary>A transaction of another process on PostgreSQL, which a test holds open at the worst moment.</summary>
internal sealed class OpenTransaction(TestDatabase database, NpgsqlConnection connection, NpgsqlTransaction transaction) : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    public static async Task<OpenTransaction> BeginAsync(TestDatabase database)
    {
        var connection = new NpgsqlConnection(database.ConnectionString);
        await connection.OpenAsync();
        return new OpenTransaction(database, connection, await connection.BeginTransactionAsync());
    }

    public async Task ExecuteAsync(string sql, params Guid[] ids)
    {
        await using var command = new NpgsqlCommand(sql, connection, transaction);
        foreach (var id in ids)
            command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = id });
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Waits until another transaction waits for this one, or need not.</summary>
    public async Task UntilItBlocksAsync(Task other)
    {
        await using var watcher = new NpgsqlConnection(database.ConnectionString);
        await watcher.OpenAsync();
        await using var blocked = new NpgsqlCommand(
            $"select count(*) from pg_stat_activity where {connection.ProcessID} = any(pg_blocking_pids(pid))", watcher);
        await Eventually.UntilAsync(
            async () => other.IsCompleted || await blocked.ExecuteScalarAsync() is long and > 0,
            Deadline, "somebody waits for the transaction");
    }

    public Task CommitAsync() => transaction.CommitAsync();

    public Task RollbackAsync() => transaction.RollbackAsync();

    public async ValueTask DisposeAsync()
    {
        await transaction.DisposeAsync();
        await connection.DisposeAsync();
    }
}
