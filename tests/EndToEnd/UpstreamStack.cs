using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// Processes with several upstreams, one per test: upstream <c>x</c> serves endpoint <c>/v1/x</c> and queue <c>v1-x</c>.
/// </summary>
public abstract class UpstreamStack(DatabaseProvider provider, params string?[] roles) : IAsyncLifetime
{
    public const string ConfiguredKey = "sk-configured";

    /// <summary>A wait of a test; heartbeats go every 10 s.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly Dictionary<string, string> Special = new()
    {
        ["plain:ApiKey"] = ConfiguredKey,
        ["hanging:TimeoutSeconds"] = "1",
        ["narrow:MaxConcurrency"] = "3",
        ["busy:MaxConcurrency"] = "1",
        ["dead:MaxRetries"] = "1",
        ["levels:MaxConcurrency"] = "1",
        ["named:Queues:0"] = "only-this",
        ["gone:MaxRetries"] = "1",
        ["large:MaxAnswerBytes"] = "65536",
        ["adaptive:AdaptConcurrency"] = "true",
        ["adaptive:MaxConcurrency"] = "64",
        ["heavy:Weight"] = "3",
        ["light:Endpoint"] = "/v1/heavy",
    };

    private static readonly string[] Names =
        ["plain", "busy", "broken", "final", "dead", "down", "hanging", "narrow", "cancelled", "stream", "levels", "named", "other",
            "large", "gone", "many", "adaptive", "heavy", "light", "stopped"];

    private readonly Dictionary<string, TestUpstream> _upstreams = [];
    private readonly List<TestHost> _hosts = [];
    private TestDatabase _database = null!;
    private string? _rabbitMq;

    internal TestUpstream this[string name] => _upstreams[name];

    /// <summary>The process with the Api role.</summary>
    internal TestHost Host => _hosts[0];

    /// <summary>The process with the Consumers role.</summary>
    internal TestHost Consumers => _hosts[^1];

    internal TestDatabase Database => _database;

    public async Task InitializeAsync()
    {
        foreach (var name in Names)
            _upstreams[name] = await TestUpstream.StartAsync();
        _database = await TestDatabase.CreateAsync(provider);
        _rabbitMq = provider == DatabaseProvider.Sqlite ? null : await TestServers.CreateVirtualHostAsync();
        foreach (var role in roles)
            _hosts.Add(await StartAsync(role, Names.Where(n => n != "stopped")));
    }

    public async Task DisposeAsync()
    {
        foreach (var host in _hosts)
            await host.DisposeAsync();
        if (_rabbitMq is not null)
            await TestServers.DeleteVirtualHostAsync(_rabbitMq);
        await _database.DisposeAsync();
        foreach (var upstream in _upstreams.Values)
            await upstream.DisposeAsync();
    }

    /// <summary>Stops an upstream; the function restarts it at the same address.</summary>
    internal async Task<Func<Task>> TakeDownAsync(string name)
    {
        var port = this[name].Address.Port;
        await this[name].DisposeAsync();
        return async () => _upstreams[name] = await TestUpstream.StartAsync(port);
    }

    /// <summary>Another process, which releases unfinished work two seconds after it is told to stop.</summary>
    internal Task<TestHost> StartAsync(string? role, IEnumerable<string> names)
    {
        var settings = new Dictionary<string, string?>
        {
            ["Logging:LogLevel:Default"] = "Error",
            ["TaskQueue:MaxPayloadBytes"] = "65536",
            ["TaskQueue:Drain:GraceSeconds"] = "2",
        };
        foreach (var (i, name) in names.Index())
        {
            var key = $"TaskQueue:Upstreams:{i}";
            settings[$"{key}:Endpoint"] = $"/v1/{name}";
            settings[$"{key}:BaseUrl"] = $"{this[name].Address}v1";
            foreach (var (setting, value) in Special.Where(s => s.Key.StartsWith($"{name}:", StringComparison.Ordinal)))
                settings[$"{key}:{setting[(name.Length + 1)..]}"] = value;
        }

        return TestHost.StartAsync(_database.ConnectionString, _rabbitMq, role, settings);
    }

    /// <summary>Puts a callback task and returns its id.</summary>
    internal async Task<string> PutAsync(string name, string data = "{}", int tier = 1, string? queue = null, string? endpoint = null)
    {
        var put = await Host.Http.PostAsync("/v1/queue/put",
            $$"""{"queue":"{{queue ?? $"v1-{name}"}}","endpoint":"{{endpoint ?? $"/v1/{name}"}}","level":{{tier}},"data":{{data}}}""");
        put.Status.ShouldBe(200, put.Text);
        return put.Json.Text("data")!;
    }

    /// <summary>The result of a task, once it has succeeded.</summary>
    internal async Task<JsonElement> ResultAsync(string id)
    {
        JsonElement task = default;
        await Eventually.UntilAsync(
            async () => (task = (await Host.Http.ReadAsync($"/v1/queue/{id}")).Json).Text("status") == "succeeded",
            Patience, $"{id} has succeeded");
        return task.GetProperty("result");
    }

    /// <summary>Submits a task without an API.</summary>
    internal async Task<Guid> SubmitAsync(string name, Func<TaskSubmission, TaskSubmission> change)
    {
        var submission = change(new TaskSubmission(TaskId.New(TimeProvider.System), $"v1-{name}", "{}") { Name = $"/v1/{name}",
            MaxAttempts = 1 });
        (await Host.Services.GetRequiredService<TaskService>().SubmitAsync(submission)).Result.ShouldBe(SubmitStatus.Accepted);
        return submission.Id;
    }

    /// <summary>The row of a task, once it is as expected.</summary>
    internal async Task<TaskState> StateAsync(Guid id, int state)
    {
        TaskState? task = null;
        await Eventually.UntilAsync(
            async () => (task = await Database.GetAsync(id)).State == state, Patience, $"{id} is {TaskStates.Word(state)}");
        return task!;
    }
}

public sealed class UpstreamsOnSqlite() : UpstreamStack(DatabaseProvider.Sqlite, null as string);

/// <summary>PostgreSQL and RabbitMQ, one process per role.</summary>
public sealed class UpstreamsOnServers() : UpstreamStack(DatabaseProvider.Postgres, "api", "scheduler", "consumers");
