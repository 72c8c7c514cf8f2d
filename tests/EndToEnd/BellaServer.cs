using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Ids;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>An answer of the bella API.</summary>
internal sealed record BellaReply(HttpStatusCode Status, string Body, HttpResponseMessage Response)
{
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    public JsonElement Ok()
    {
        Status.ShouldBe(HttpStatusCode.OK, Body);
        return Json;
    }
}

/// <summary>
/// A server per test class, whose tests use distinct queue names: one on SQLite, two on PostgreSQL and RabbitMQ. Keys A and B
/// may use them, and boss may do anything.
/// </summary>
public abstract class BellaServer(DatabaseProvider provider) : IAsyncLifetime
{
    internal static readonly Dictionary<string, string?> Settings = new()
    {
        ["TaskQueue:Auth:ApiKeys:0:Name"] = "ann",
        ["TaskQueue:Auth:ApiKeys:0:Key"] = TestKeys.Of("A"),
        ["TaskQueue:Auth:ApiKeys:0:Queues:0"] = "*",
        ["TaskQueue:Auth:ApiKeys:0:Scopes:0"] = "enqueue",
        ["TaskQueue:Auth:ApiKeys:0:Scopes:1"] = "read",
        ["TaskQueue:Auth:ApiKeys:0:Scopes:2"] = "work",
        ["TaskQueue:Auth:ApiKeys:1:Name"] = "ben",
        ["TaskQueue:Auth:ApiKeys:1:Queues:0"] = "*",
        ["TaskQueue:Auth:ApiKeys:1:Scopes:0"] = "enqueue",
        ["TaskQueue:Auth:ApiKeys:1:Scopes:1"] = "read",
        ["TaskQueue:Auth:ApiKeys:1:Scopes:2"] = "work",
        ["TaskQueue:Auth:ApiKeys:1:KeyHash"] = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(TestKeys.Of("B")))),
        ["TaskQueue:Auth:ApiKeys:2:Name"] = "bob",
        ["TaskQueue:Auth:ApiKeys:2:Key"] = TestKeys.Of("boss"),
        ["TaskQueue:Auth:ApiKeys:2:Scopes:0"] = "admin",
        ["TaskQueue:Bella:Dialect"] = "bella",
        ["TaskQueue:Webhooks:AllowPrivateNetworks"] = "true",
        ["TaskQueue:Webhooks:SigningKeys:0"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ["TaskQueue:Webhooks:TimeoutSeconds"] = "300", // a receiver that hangs does so for as long as a test lasts
        ["TaskQueue:Limits:FailedAuthentications:PerSecond"] = "1000",
        ["TaskQueue:Limits:FailedAuthentications:Burst"] = "1000",
        ["Logging:LogLevel:Default"] = "Error",
    };

    private TestDatabase _database = null!;
    private string? _rabbitMq;
    private TestHost _host = null!;
    private TestHost? _other;
    private Dictionary<string, string?> _settings = Settings;
    private int _queues;

    internal HttpClient Http => _host.Http;

    /// <summary>Another API process, if there is one; else the same.</summary>
    internal HttpClient OtherHttp => (_other ?? _host).Http;

    internal string? RabbitMq => _rabbitMq;

    internal IServiceProvider Services => _host.Services;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(provider);
        _rabbitMq = provider == DatabaseProvider.Sqlite ? null : await TestServers.CreateVirtualHostAsync();
        _settings = await PrepareAsync();
        _host = await TestHost.StartAsync(_database.ConnectionString, _rabbitMq, settings: _settings);
        Authorize(_host.Http);
        _other = provider == DatabaseProvider.Sqlite ? null : await StartSecondAsync();
    }

    /// <summary>Starts what else the servers need, and returns their settings.</summary>
    private protected virtual Task<Dictionary<string, string?>> PrepareAsync() => Task.FromResult(Settings);

    public virtual async Task DisposeAsync()
    {
        if (_other is not null)
            await _other.DisposeAsync();
        await _host.DisposeAsync();
        if (_rabbitMq is not null)
            await TestServers.DeleteVirtualHostAsync(_rabbitMq);
        await _database.DisposeAsync();
    }

    /// <summary>Another server on the same database and broker.</summary>
    internal async Task<TestHost> StartSecondAsync(Action<IServiceCollection>? services = null)
    {
        var host = await TestHost.StartAsync(_database.ConnectionString, _rabbitMq, "api", _settings, services);
        Authorize(host.Http);
        return host;
    }

    private static void Authorize(HttpClient http) =>
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", TestKeys.Of("A"));

    internal string NewName() => string.Create(CultureInfo.InvariantCulture, $"acc-q_{Interlocked.Increment(ref _queues)}");

    internal async Task<string> RegisterAsync(string? name = null)
    {
        name ??= NewName();
        (await PostAsync("register", $$"""{"queue":"{{name}}","endpoint":"/v1/chat/completions"}""")).Ok();
        return name;
    }

    /// <summary>Puts a callback task and returns its id.</summary>
    internal async Task<string> PutAsync(string queue, int tier = 1, string more = "") =>
        (await PostAsync("put",
            $$$"""{"queue":"{{{queue}}}","endpoint":"/v1/chat/completions","level":{{{tier}}},"data":{"k":"v"}{{{more}}}}""")).Ok()
            .GetProperty("data").GetString()!;

    /// <summary>A put whose caller waits; the response comes when the task has ended, or, for a stream, when it starts.</summary>
    internal Task<HttpResponseMessage> PutWaitingAsync(string queue, string mode, string more = "",
        CancellationToken cancellationToken = default) =>
        Http.SendAsync(
            new HttpRequestMessage(HttpMethod.Post, Uri("put"))
            {
                Content = new StringContent(
                    $$$"""{"queue":"{{{queue}}}","endpoint":"/v1/chat/completions","data":{"k":"v"}"""
                        + $$$""","response_mode":"{{{mode}}}"{{{more}}}}""",
                    Encoding.UTF8, "application/json"),
            },
            HttpCompletionOption.ResponseHeadersRead, cancellationToken);

    /// <summary>Takes the first task that arrives in a queue.</summary>
    internal Task<JsonElement> TakeFirstAsync(string queue, HttpClient? http = null, string more = "") =>
        Eventually.UntilAsync(async () =>
        {
            var reply = await ReadAsync(await (http ?? Http).PostAsync(Uri("take"), new StringContent(
                $$"""{"queues":["{{queue}}"],"size":1{{more}}}""")));
            return reply.Ok().TryGetProperty(queue, out var tasks) ? (object)tasks[0] : null;
        }, TimeSpan.FromSeconds(15), $"a task comes to {queue}").ContinueWith(t => (JsonElement)t.Result, TaskScheduler.Default);

    internal static async Task<JsonElement> TakeAtAsync(HttpClient http, string strategy, int size, IEnumerable<string> queues)
    {
        var body = $$"""{"queues":[{{string.Join(',', queues.Select(q => $"\"{q}\""))}}],"size":{{size}},"strategy":"{{strategy}}"}""";
        return (await ReadAsync(await http.PostAsync(Uri("take"), new StringContent(body)))).Ok();
    }

    internal async Task<BellaReply> ClearAsync(string queue) =>
        await ReadAsync(await Http.PostAsync(new Uri($"/v1/console/{queue}/clear", UriKind.Relative), content: null));

    /// <summary>The events of a task, as the native API shows them.</summary>
    internal async Task<string> TimelineAsync(string id) =>
        await Http.GetStringAsync(new Uri($"/tasks/{NumberedTaskId.ParseAny(id)}", UriKind.Relative));

    /// <summary>Files that are hidden.</summary>
    internal async Task<int> FilesLeftAsync()
    {
        await using var db = await _host.Services.GetRequiredService<IDbContextFactory<TaskDbContext>>().CreateDbContextAsync();
        return await db.Files.CountAsync(f => !f.Ready);
    }

    /// <summary>Moves a batch's deadline into the past.</summary>
    internal async Task ExpireBatchAsync(string id)
    {
        var guid = BatchId.Parse(id)!.ToGuid();
        await using var db = await _host.Services.GetRequiredService<IDbContextFactory<TaskDbContext>>().CreateDbContextAsync();
        await db.Batches.Where(b => b.CorrelationId == guid).ExecuteUpdateAsync(b => b.SetProperty(x => x.DeadlineAt, DateTime.UnixEpoch));
    }

    internal async Task<string> StatusAsync(string id) => (await GetAsync(id)).Ok().GetProperty("status").GetString()!;

    internal async Task<JsonElement> TakeAsync(string queues, int size = 1, string more = "") =>
        (await PostAsync("take",
            $$"""{"queues":[{{string.Join(',', queues.Split(' ').Select(q => $"\"{q}\""))}}],"size":{{size}}{{more}}}""")).Ok();

    /// <summary>Takes the one task that waits and returns its id.</summary>
    internal async Task<string> TakeOneAsync(string queue, string more = "") =>
        (await TakeAsync(queue, 1, more)).GetProperty(queue).EnumerateArray().Single().GetProperty("task_id").GetString()!;

    internal async Task<BellaReply> CompleteAsync(string id, string result) => await PostAsync($"{id}/complete", result);

    internal async Task<BellaReply> GetAsync(string path) => await ReadAsync(await Http.GetAsync(Uri(path)));

    internal async Task<BellaReply> PostAsync(string path, string body) =>
        await PostAsync(path, new StringContent(body, Encoding.UTF8, "application/json"));

    internal async Task<BellaReply> PostAsync(string path, HttpContent body) => await ReadAsync(await Http.PostAsync(Uri(path), body));

    internal static async Task<BellaReply> ReadAsync(HttpResponseMessage response) =>
        new(response.StatusCode, await response.Content.ReadAsStringAsync(), response);

    internal static Uri Uri(string path) => new($"/v1/queue/{path}", UriKind.Relative);
}

public sealed class BellaOnSqlite() : BellaServer(DatabaseProvider.Sqlite);

public sealed class BellaOnPostgres() : BellaServer(DatabaseProvider.Postgres);

/// <summary>The same, with the contents of files in S3.</summary>
public sealed class BellaOnS3() : BellaServer(DatabaseProvider.Postgres)
{
    private TestS3 _s3 = null!;

    private protected override async Task<Dictionary<string, string?>> PrepareAsync()
    {
        _s3 = await TestS3.StartAsync();
        return new([.. Settings, .. _s3.Settings]);
    }

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        await _s3.DisposeAsync();
    }
}
