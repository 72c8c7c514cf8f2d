using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http;
using Shouldly;
using StandardWebhooks;
using StandardWebhooks.Diagnostics;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A server with keys of two tenants and an operator that signs callbacks with two keys.</summary>
public abstract class TenantServer(DatabaseProvider provider, bool verifies = false) : IAsyncLifetime
{
    private static readonly string[] Names = ["ann", "ben", "boss"];

    private readonly Dictionary<string, HttpClient> _clients = [];
    private string? _rabbitMq;
    private TestHost _host = null!;

    internal HttpClient this[string name] => _clients[name];

    internal TestDatabase Database { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Database = await TestDatabase.CreateAsync(provider);
        _rabbitMq = provider == DatabaseProvider.Sqlite ? null : await TestServers.CreateVirtualHostAsync();
        var settings = new Dictionary<string, string?>
        {
            ["TaskQueue:Webhooks:AllowPrivateNetworks"] = "true",
            ["TaskQueue:Webhooks:RequireVerification"] = $"{verifies}",
            ["TaskQueue:Webhooks:TimeoutSeconds"] = verifies ? "30" : "300", // a receiver that hangs does so for as long as a test lasts
            ["TaskQueue:Webhooks:SigningKeys:0"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            ["TaskQueue:Webhooks:SigningKeys:1"] = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            ["Logging:LogLevel:Default"] = "Error",
        };
        foreach (var (index, name) in Names.Index())
        {
            settings[$"TaskQueue:Auth:ApiKeys:{index}:Name"] = name;
            settings[$"TaskQueue:Auth:ApiKeys:{index}:Key"] = $"{name}-0123456789abcdefghijklmnopqrstuvwxyz";
            settings[$"TaskQueue:Auth:ApiKeys:{index}:Scopes:0"] = name == "boss" ? "admin" : "enqueue";
            settings[$"TaskQueue:Auth:ApiKeys:{index}:Scopes:1"] = "read";
        }

        _host = await TestHost.StartAsync(Database.ConnectionString, _rabbitMq, settings: settings);
        foreach (var name in Names)
        {
            _clients[name] = new HttpClient { BaseAddress = _host.Http.BaseAddress };
            _clients[name].DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer",
                $"{name}-0123456789abcdefghijklmnopqrstuvwxyz");
        }
    }

    public async Task DisposeAsync()
    {
        foreach (var client in _clients.Values)
            client.Dispose();
        await _host.DisposeAsync();
        if (_rabbitMq is not null)
            await TestServers.DeleteVirtualHostAsync(_rabbitMq);
        await Database.DisposeAsync();
    }

    /// <summary>Submits a task that the server completes.</summary>
    internal Task<Guid> SubmitAsync(string owner, string url) =>
        this[owner].SubmitAsync(new { action = "uppercase", data = new { text = owner }, callback_url = url });
}

public sealed class SqliteTenantServer() : TenantServer(DatabaseProvider.Sqlite);

public sealed class PostgresTenantServer() : TenantServer(DatabaseProvider.Postgres);

/// <summary>Callbacks reveal nothing about other tenants and do not delay them.</summary>
public abstract class CallbackTenantsTests(TenantServer server)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    public sealed class OnSqlite(SqliteTenantServer server) : CallbackTenantsTests(server), IClassFixture<SqliteTenantServer>;

    public sealed class OnPostgres(PostgresTenantServer server) : CallbackTenantsTests(server), IClassFixture<PostgresTenantServer>;

    [Fact]
    public async Task A_receiver_that_hangs_with_300_callbacks_does_not_delay_another_tenant()
    {
        await using var hanging = await TestReceiver.StartAsync();
        await using var other = await TestReceiver.StartAsync();
        await using var quick = await TestReceiver.StartAsync();
        hanging.Answer = other.Answer = (context, _) =>
            Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        var ids = await server["ann"].SubmitManyAsync(Enumerable.Range(0, 300).Select(n =>
            new
            {
                action = "uppercase", data = new { text = "a" },
                callback_url = n % 10 == 0 ? $"{other.Url}/{n}" : $"{hanging.Url}?{n}",
            }));
        foreach (var id in ids)
            await server["ann"].CallbackAsync(id, _ => true);
        await Eventually.UntilAsync(
            () => Task.FromResult(hanging.All.Count + other.All.Count == 8), Deadline, "the tenant has all the tries that it may have");

        var callback = await server["ben"].CallbackAsync(await server.SubmitAsync("ben", $"{quick.Url}/x"), c =>
            c.Text("state") == "delivered");

        (callback.GetProperty("finished_at").GetDateTime() - callback.GetProperty("created_at").GetDateTime())
            .ShouldBeLessThan(TimeSpan.FromSeconds(20));
        (hanging.All.Count, other.All.Count).ShouldBe((4, 4));
    }

    [Fact]
    public async Task Each_tenant_verifies_its_callbacks_and_those_of_no_other()
    {
        await using var receiver = await TestReceiver.StartAsync();
        var ids = new Dictionary<string, Guid>
        {
            ["ann"] = await server.SubmitAsync("ann", $"{receiver.Url}/ann"),
            ["ben"] = await server.SubmitAsync("ben", $"{receiver.Url}/ben"),
        };
        foreach (var (owner, id) in ids)
            await server[owner].CallbackAsync(id, c => c.Text("state") == "delivered");

        foreach (var (owner, other) in new[] { ("ann", "ben"), ("ben", "ann") })
        {
            var got = receiver.All.Single(r => r.Path == $"/{owner}");
            (got.Headers["webhook-id"], got.Headers["taskqueue-owner"]).ShouldBe(($"task.completed/{owner}/{ids[owner]}", owner));
            got.Body.ShouldBe($$"""{"output":"{{owner.ToUpperInvariant()}}"}""");
            var headers = new HeaderDictionary();
            foreach (var (name, value) in got.Headers)
                headers[name] = value;
            foreach (var (index, secret) in (await SecretsAsync(owner)).Index())
            {
                // The library passes over the last of several
                headers["webhook-signature"] = got.Headers["webhook-signature"].Split(' ')[index];
                new StandardWebhook(secret).Verify(got.Body, headers);
            }

            headers["webhook-signature"] = got.Headers["webhook-signature"];
            foreach (var secret in await SecretsAsync(other))
                Should.Throw<WebhookVerificationException>(() => new StandardWebhook(secret).Verify(got.Body, headers));
            headers["webhook-id"] = $"task.completed/{other}/{ids[owner]}";
            foreach (var secret in await SecretsAsync(owner))
                Should.Throw<WebhookVerificationException>(() => new StandardWebhook(secret).Verify(got.Body, headers));
        }
    }

    [Fact]
    public async Task A_tenant_reads_its_own_secrets_and_an_operator_all_secrets()
    {
        var ann = await SecretsAsync("ann");

        ann.Count.ShouldBe(2);
        (await server["boss"].ReadAsync("/webhooks/secret?owner=ann")).Json.GetProperty("secrets").EnumerateArray()
            .Select(s => s.GetString()).ShouldBe(ann);
        (await server["boss"].ReadAsync("/webhooks/secret?owner=")).Json.GetProperty("owner")
            .ValueKind.ShouldBe(System.Text.Json.JsonValueKind.Null);
        (await server["ann"].ReadAsync("/webhooks/secret?owner=ann")).Status.ShouldBe(200);
        (await server["ann"].ReadAsync("/webhooks/secret?owner=ben")).Status.ShouldBe(403);
        (await server["ann"].ReadAsync("/webhooks/secret?owner=")).Status.ShouldBe(403);
        (await server["boss"].ReadAsync("/webhooks/secret?owner=a%0D%0Ab")).Status.ShouldBe(400);
        (await server["boss"].ReadAsync("/webhooks/secret?owner=a&owner=b")).Status.ShouldBe(400);
    }

    [Fact]
    public async Task Text_that_would_end_a_header_or_a_field_is_refused()
    {
        (await server["ann"].PostAsync("/v1/queue/register", """{"queue":"inject","endpoint":"/x"}""")).Status.ShouldBe(200);
        foreach (var body in new[]
        {
            """{"queue":"inject","endpoint":"/x","data":{},"trace_id":"a\r\nX-Evil: 1"}""",
            """{"queue":"inject","endpoint":"/x\nX-Evil: 1","data":{}}""",
            """{"queue":"inject","endpoint":"/x","data":{},"callback_url":"http://example.com/\r\nX-Evil: 1"}""",
        })
            (await server["ann"].PostAsync("/v1/queue/put", body)).Status.ShouldBe(400, body);
    }

    private async Task<List<string>> SecretsAsync(string owner)
    {
        var answer = (await server[owner].ReadAsync("/webhooks/secret")).Json;
        answer.Names().ShouldBe(["owner", "secrets"]);
        answer.Text("owner").ShouldBe(owner);
        return [.. answer.GetProperty("secrets").EnumerateArray().Select(s => s.GetString()!)];
    }
}
