using Npgsql;

namespace TaskQueue.Bench.Servers;

/// <summary>The PostgreSQL of the run.</summary>
internal sealed class Postgres(string connectionString, string scratch, CancellationToken stop)
{
    private int _last;

    /// <summary>A new database, empty or a copy; gone when disposed.</summary>
    public async Task<BenchDatabase> CreateAsync(BenchDatabase? template)
    {
        var name = $"taskqueue_bench_{Environment.ProcessId}_{++_last}";
        await ExecuteAsync($"create database {name}{(template is null ? "" : $" template {template.Name}")}", stop);
        // No pool: a copy cannot be made of a database that somebody is connected to.
        var settings = new NpgsqlConnectionStringBuilder(connectionString) { Database = name };
        return new BenchDatabase(this, settings.ConnectionString, name, scratch, stop);
    }

    public Task DropAsync(string name) => ExecuteAsync($"drop database if exists {name} with (force)", CancellationToken.None);

    public async Task<string> VersionAsync()
    {
        await using var connection = await BenchDatabase.OpenAsync(connectionString, stop);
        return connection.PostgreSqlVersion.ToString();
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancellation)
    {
        await using var connection = await BenchDatabase.OpenAsync(connectionString, cancellation);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellation);
    }
}

/// <summary>A database of a scenario; gone when disposed.</summary>
internal sealed class BenchDatabase(Postgres postgres, string connectionString, string name, string scratch, CancellationToken stop) : IAsyncDisposable
{
    private const string EventsWait =
        """
        select exists (
            select from event_streams s
            where s.cursor < (select e.id from task_events e where e.stream = s.id order by e.id desc limit 1))
        """;

    // Both look at a partial index only, however many tasks there are.
    private const string TasksWait = "select exists (select from tasks where dispatch_at is not null) or exists (select from tasks where state = 4)";

    private static readonly TimeSpan SettleDeadline = TimeSpan.FromMinutes(10);

    public string ConnectionString => connectionString;

    public string Name => name;

    public static async Task<NpgsqlConnection> OpenAsync(string connectionString, CancellationToken stop)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false, CommandTimeout = 3600 };
        var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync(stop);
        return connection;
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var connection = await OpenAsync(connectionString, stop);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(stop);
    }

    public async Task<T> ReadAsync<T>(string sql)
    {
        await using var connection = await OpenAsync(connectionString, stop);
        return await ReadAsync<T>(connection, sql);
    }

    /// <summary>Waits until no push task is on its way and no task runs.</summary>
    public Task WaitUntilIdleAsync() => WaitWhileAsync(TasksWait, "every task has ended");

    /// <summary>Waits until nothing is left of the load before, and lets the next one begin with a fresh checkpoint.</summary>
    public async Task SettleAsync()
    {
        await WaitUntilIdleAsync();
        await WaitWhileAsync(EventsWait, "every event is published");
        await ExecuteAsync("checkpoint");
    }

    /// <summary>Runs pgbench with a script.</summary>
    /// <returns>Transactions per second.</returns>
    public async Task<double> PgBenchAsync(string script, IReadOnlyList<string> args)
    {
        var file = Path.Combine(scratch, "pgbench.sql");
        await File.WriteAllTextAsync(file, script, stop);
        var server = new NpgsqlConnectionStringBuilder(connectionString);
        var environment = new Dictionary<string, string> { ["PGPASSWORD"] = server.Password ?? "" };
        var lines = await ChildProcess.RunAsync(
            "pgbench",
            ["-h", server.Host!, "-p", $"{server.Port}", "-U", server.Username!, "-n", "-M", "prepared", "-f", file, .. args, name],
            environment, stop);
        var tps = lines.FirstOrDefault(l => l.StartsWith("tps = ", StringComparison.Ordinal));
        return tps is not null && lines.Any(l => l.StartsWith("number of failed transactions: 0 ", StringComparison.Ordinal))
            ? double.Parse(tps.Split(' ')[2])
            : throw new BenchException($"pgbench failed:\n{string.Join('\n', lines)}");
    }

    public async ValueTask DisposeAsync() => await postgres.DropAsync(name);

    private static async Task<T> ReadAsync<T>(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    private async Task WaitWhileAsync(string sql, string what)
    {
        await using var connection = await OpenAsync(connectionString, stop);
        await Wait.UntilAsync(async () => !await ReadAsync<bool>(connection, sql), SettleDeadline, what, stop);
    }
}
