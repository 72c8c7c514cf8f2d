using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>An answer of the bella door.</summary>
internal sealed record BellaReply(HttpStatusCode Status, string Body, HttpResponseMessage Response)
{
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    public JsonElement Ok()
    {
        Status.ShouldBe(HttpStatusCode.OK, Body);
        return Json;
    }
}

/// <summary>A server of its own for a class of tests, which name their queues apart.</summary>
public abstract class BellaServer(DatabaseProvider provider) : IAsyncLifetime
{
    private TestDatabase _database = null!;
    private string? _rabbitMq;
    private TestHost _host = null!;
    private int _queues;

    internal HttpClient Http => _host.Http;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(provider);
        _rabbitMq = provider == DatabaseProvider.Sqlite ? null : await TestServers.CreateVirtualHostAsync();
        _host = await TestHost.StartAsync(_database.ConnectionString, _rabbitMq);
    }

    public async Task DisposeAsync()
    {
        await _host.DisposeAsync();
        if (_rabbitMq is not null)
            await TestServers.DeleteVirtualHostAsync(_rabbitMq);
        await _database.DisposeAsync();
    }

    /// <summary>Another server on the same database and broker.</summary>
    internal Task<TestHost> StartSecondAsync(Action<IServiceCollection>? services = null) =>
        TestHost.StartAsync(_database.ConnectionString, _rabbitMq, "api", services: services);

    internal string NewName() => string.Create(CultureInfo.InvariantCulture, $"acc-q_{Interlocked.Increment(ref _queues)}");

    internal async Task<string> RegisterAsync(string? name = null)
    {
        name ??= NewName();
        (await PostAsync("register", $$"""{"queue":"{{name}}","endpoint":"/v1/chat/completions"}""")).Ok();
        return name;
    }

    /// <summary>Puts a callback task and returns its id.</summary>
    internal async Task<string> PutAsync(string queue, int level = 1, string more = "") =>
        (await PostAsync("put", $$$"""{"queue":"{{{queue}}}","endpoint":"/v1/chat/completions","level":{{{level}}},"data":{"k":"v"}{{{more}}}}""")).Ok()
            .GetProperty("data").GetString()!;

    internal async Task<JsonElement> TakeAsync(string queues, int size = 1, string more = "") =>
        (await PostAsync("take", $$"""{"queues":[{{string.Join(',', queues.Split(' ').Select(q => $"\"{q}\""))}}],"size":{{size}}{{more}}}""")).Ok();

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
