using Npgsql;

namespace TaskQueue.Tests.Servers;

/// <summary>A PgBouncer before the tests' PostgreSQL, as deploy/pgbouncer.ini configures it; started at first use.</summary>
internal static class PgBouncer
{
    private static readonly Lazy<Task<int>> Port = new(StartAsync);

    /// <summary>The same database through the pooler.</summary>
    public static async Task<string> BeforeAsync(string connectionString) =>
        new NpgsqlConnectionStringBuilder(connectionString) { Port = await Port.Value, NoResetOnClose = true }.ConnectionString;

    private static async Task<int> StartAsync()
    {
        await TestServers.ServersAsync("start-pgbouncer");
        return int.Parse(await File.ReadAllTextAsync(Path.Combine(TestServers.Folder, "pgbouncer", "port")));
    }
}
