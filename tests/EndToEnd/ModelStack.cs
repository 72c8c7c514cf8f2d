using System.Globalization;
using System.Net.Http.Headers;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A server whose upstreams are a <see cref="ModelServer"/> with the models <c>m</c> and <c>m-busy</c>.</summary>
public abstract class ModelStack(DatabaseProvider provider, params string[] roles) : IAsyncLifetime
{
    /// <summary>The key of its clients.</summary>
    public static readonly string Key = TestKeys.Of("A");

    private readonly List<TestHost> _hosts = [];
    private TestDatabase _database = null!;
    private ModelServer _models = null!;
    private string? _rabbitMq;

    /// <summary>What clients call their base URL.</summary>
    public Uri BaseUrl => new(Http.BaseAddress!, "/v1");

    /// <summary>Requests with <see cref="Key"/>.</summary>
    internal HttpClient Http => _hosts[0].Http;

    public async Task InitializeAsync()
    {
        _models = await ModelServer.StartAsync();
        _database = await TestDatabase.CreateAsync(provider);
        _rabbitMq = provider == DatabaseProvider.Sqlite ? null : await TestServers.CreateVirtualHostAsync();
        var settings = new Dictionary<string, string?>
        {
            ["TaskQueue:Auth:ApiKeys:0:Name"] = "ann",
            ["TaskQueue:Auth:ApiKeys:0:Key"] = Key,
            ["TaskQueue:Auth:ApiKeys:0:Queues:0"] = "*",
            ["TaskQueue:Auth:ApiKeys:0:Scopes:0"] = "enqueue",
            ["TaskQueue:Auth:ApiKeys:0:Scopes:1"] = "read",
            ["TaskQueue:Webhooks:AllowPrivateNetworks"] = "true",
            ["TaskQueue:Webhooks:SigningKeys:0"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            ["Logging:LogLevel:Default"] = "Error",
        };
        foreach (var (i, endpoint) in ModelServer.Endpoints.Index())
        {
            var upstream = string.Create(CultureInfo.InvariantCulture, $"TaskQueue:Upstreams:{i}");
            settings[$"{upstream}:Endpoint"] = endpoint;
            settings[$"{upstream}:BaseUrl"] = _models.Address.ToString();
            settings[$"{upstream}:Models:0"] = "m";
            settings[$"{upstream}:MaxRetries"] = "0"; // clients see each refusal
        }

        foreach (var role in roles.DefaultIfEmpty("api,scheduler,consumers"))
            _hosts.Add(await TestHost.StartAsync(_database.ConnectionString, _rabbitMq, role, settings));
        Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
    }

    public async Task DisposeAsync()
    {
        foreach (var host in _hosts)
            await host.DisposeAsync();
        if (_rabbitMq is not null)
            await TestServers.DeleteVirtualHostAsync(_rabbitMq);
        await _database.DisposeAsync();
        await _models.DisposeAsync();
    }
}

public sealed class ModelsOnSqlite() : ModelStack(DatabaseProvider.Sqlite);

/// <summary>PostgreSQL and RabbitMQ, one process per role.</summary>
public sealed class ModelsOnServers() : ModelStack(DatabaseProvider.Postgres, "api", "scheduler", "consumers");
