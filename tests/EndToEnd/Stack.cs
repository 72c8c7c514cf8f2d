using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Hosts with their own database and bus, combined like in a deployment.</summary>
public abstract class Stack : IAsyncLifetime
{
    private readonly DatabaseProvider _provider;
    private readonly string?[] _roles;
    private readonly List<TestHost> _hosts = [];
    private TestDatabase? _database;

    private protected Stack(DatabaseProvider provider, params string?[] roles)
    {
        _provider = provider;
        _roles = roles;
    }

    /// <summary>The first process with the Api role.</summary>
    public HttpClient Http => Host.Http;

    /// <summary>Another process with the Api role, if there is one; else the same.</summary>
    public HttpClient OtherHttp => _hosts[Math.Min(1, _hosts.Count - 1)].Http;

    /// <summary>The virtual host, or null for the in-process bus.</summary>
    public string? RabbitMq { get; private set; }

    /// <summary>Configuration of every process.</summary>
    protected virtual Dictionary<string, string?> Settings => new()
    {
        ["Logging:LogLevel:Default"] = "Error", ["TaskQueue:Maintenance:PollSeconds"] = "1",
        ["TaskQueue:Maintenance:TaskRetentionInterval"] = "00:00:01",
    };

    internal TestHost Host => _hosts[0];

    internal TestDatabase Database => _database!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(_provider);
        RabbitMq = _provider == DatabaseProvider.Sqlite ? null : await TestServers.CreateVirtualHostAsync();
        var address = await AddressAsync(Database.ConnectionString);
        _hosts.AddRange(await Task.WhenAll(_roles.Select(r => TestHost.StartAsync(address, RabbitMq, r, Settings))));
    }

    /// <summary>How the hosts connect to the database.</summary>
    protected virtual Task<string> AddressAsync(string connectionString) => Task.FromResult(connectionString);

    public async Task DisposeAsync()
    {
        await Task.WhenAll(_hosts.Select(h => h.DisposeAsync().AsTask()));
        if (RabbitMq is not null)
            await TestServers.DeleteVirtualHostAsync(RabbitMq);
        if (_database is not null)
            await _database.DisposeAsync();
    }
}

/// <summary>SQLite and the in-process bus: the default of <c>taskqueue</c>.</summary>
public class SqliteStack() : Stack(DatabaseProvider.Sqlite, null as string);

/// <summary>PostgreSQL and RabbitMQ, one process with all roles.</summary>
public class ServersStack() : Stack(DatabaseProvider.Postgres, null as string);

/// <summary>PostgreSQL behind PgBouncer in transaction mode, and RabbitMQ; two processes with all roles.</summary>
public sealed class PooledStack() : Stack(DatabaseProvider.Postgres, null as string, null as string)
{
    protected override Task<string> AddressAsync(string connectionString) => PgBouncer.BeforeAsync(connectionString);
}

/// <summary>PostgreSQL and RabbitMQ, two processes per role.</summary>
public sealed class SplitStack() : Stack(DatabaseProvider.Postgres, "api", "api", "scheduler", "scheduler", "consumers", "consumers");
