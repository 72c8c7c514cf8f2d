using System.Net.Http.Headers;
using RabbitMQ.Client;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// The server as deploy/rabbitmq/definitions.json intends it: each role with its own user, producers and workers with theirs,
/// and the permissions of that file in a virtual host of this test.
/// </summary>
public sealed class BrokerUsers : IAsyncLifetime
{
    internal const string Key = "broker-users-key-0123456789abcdef-0123456789abcdef";

    private readonly List<TestHost> _hosts = [];
    private TestDatabase _database = null!;
    private string _virtualHost = null!;

    internal HttpClient Http => _hosts[0].Http;

    internal TestDatabase Database => _database;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        _virtualHost = await TestServers.CreateVirtualHostAsync();
        await TestServers.ImportDefinitionsAsync(_virtualHost,
            await File.ReadAllTextAsync(Repository.FileAt("deploy", "rabbitmq", "definitions.json")));
        var roles = new[] { "api", "scheduler", "consumers" };
        _hosts.AddRange(await Task.WhenAll(roles.Select(role =>
            TestHost.StartAsync(Database.ConnectionString, AddressOf($"taskqueue-{role}").ToString(), role, Settings))));
        Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
    }

    public async Task DisposeAsync()
    {
        await Task.WhenAll(_hosts.Select(h => h.DisposeAsync().AsTask()));
        await TestServers.DeleteVirtualHostAsync(_virtualHost);
        await _database.DisposeAsync();
    }

    /// <summary>The broker as a user of the file sees it. The passwords are for development.</summary>
    internal Uri AddressOf(string user) => new UriBuilder(_virtualHost) { UserName = user, Password = $"{user}-dev" }.Uri;

    /// <summary>A plain connection without TaskQueue's code.</summary>
    internal Task<IConnection> ConnectAsync(string user) =>
        new ConnectionFactory { Uri = AddressOf(user), AutomaticRecoveryEnabled = false }.CreateConnectionAsync();

    /// <summary>The number of waiting tasks that the producer's tenant may have.</summary>
    internal const int MaxWaiting = 50;

    /// <summary>The broker as the server's user, for tests that need more permissions than a user has.</summary>
    internal string Administrator => AddressOf("taskqueue-admin").ToString();

    internal async Task<long> DepthAsync(string queue) =>
        (await TestServers.QueueDepthsAsync(_virtualHost)).SingleOrDefault(q => q.Name == queue)?.Messages ?? 0;

    private static Dictionary<string, string?> Settings => new()
    {
        ["Logging:LogLevel:Default"] = "Error",
        ["TaskQueue:Auth:ApiKeys:0:Name"] = "ops",
        ["TaskQueue:Auth:ApiKeys:0:Key"] = Key,
        ["TaskQueue:Auth:ApiKeys:0:Scopes:0"] = "admin",
        ["TaskQueue:Bus:EngineUsers:0"] = "taskqueue-api",
        ["TaskQueue:Bus:EngineUsers:1"] = "taskqueue-scheduler",
        ["TaskQueue:Bus:EngineUsers:2"] = "taskqueue-consumers",
        ["TaskQueue:Quotas:Tenants:ann:WaitingTasks"] = $"{MaxWaiting}",
        ["TaskQueue:Bus:Producers:0:User"] = "shop",
        ["TaskQueue:Bus:Producers:0:Tenant"] = "ann",
        ["TaskQueue:Bus:Producers:0:Queues:0"] = "shop",
        ["TaskQueue:Bus:Producers:0:Queues:1"] = "tasks",
        ["TaskQueue:Bus:Workers:0:User"] = "shop-worker",
        ["TaskQueue:Bus:Workers:0:Queues:0"] = "shop",
    };
}
