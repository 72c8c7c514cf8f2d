using System.Text.Json;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Keys that are issued, shown, rotated and revoked over the API.</summary>
public sealed class KeyTests(KeyServer server) : IClassFixture<KeyServer>
{
    private readonly string _name = $"n{Guid.NewGuid():N}"[..12];

    [Fact]
    public async Task An_issued_key_works_at_once_and_is_shown_only_once()
    {
        var issued = await server.CallAsync(KeyServer.Boss, "POST", "/keys", new
        {
            name = _name, tenant = "ann", scopes = KeyServer.List("enqueue", "read"), queues = KeyServer.List("mail-*"),
            expires_at = "2990-01-01T00:00:00+01:00",
            rate = new { per_second = 100, burst = 200 }, quota = new { waiting_tasks = 1000, file_bytes = 0 },
        });

        issued.Status.ShouldBe(201, issued.Text);
        var key = issued.Json.Text("key")!;
        key.ShouldMatch("^tq_[A-Za-z0-9_-]{43}$");
        (await server.CallAsync(key, "POST", "/tasks", new { action = "a", queue = "mail-1" })).Status.ShouldBe(202);
        (await server.CallAsync(key, "POST", "/tasks", new { action = "a", queue = "other" })).Status.ShouldBe(403);
        (await server.CallAsync(key, "PUT", "/queues/mail-1", new { })).Status.ShouldBe(403);

        var id = issued.Json.Text("id");
        var shown = (await server.CallAsync(KeyServer.Boss, "GET", $"/keys/{id}")).Json;
        shown.Names().ShouldBe(issued.Json.Names().Where(n => n != "key"));
        (shown.Text("name"), shown.Text("tenant"), shown.Text("created_by"), shown.Text("expires_at"))
            .ShouldBe((_name, "ann", "boss", "2989-12-31T23:00:00Z"));
        (shown.GetProperty("rate").Whole("burst"), shown.GetProperty("quota").GetRawText())
            .ShouldBe((200, """{"waiting_tasks":1000,"file_bytes":0}"""));
        shown.GetProperty("all_tenants").GetBoolean().ShouldBeFalse();
        (await server.CallAsync(KeyServer.Boss, "GET", "/keys")).Text.ShouldContain(id!);
        (await server.CallAsync(KeyServer.Boss, "GET", "/keys"))
            .Text.ShouldNotContain("boss-", Case.Sensitive, "configured keys are not listed");
        foreach (var file in Directory.GetFiles(Path.GetTempPath(), $"{Path.GetFileName(server.Database.ConnectionString.Split('=')[1])}*")
            .Where(f => !f.EndsWith(".lock", StringComparison.Ordinal))) // empty, and nobody else may open it
            System.Text.Encoding.Latin1.GetString(await ReadSharedAsync(file)).ShouldNotContain(key);
    }

    [Fact]
    public async Task The_key_of_an_operator_without_a_tenant_sees_every_tenant()
    {
        var (_, all) = await server.IssueAsync(new { name = _name, scopes = KeyServer.List("admin") });
        var (_, one) = await server.IssueAsync(new { name = _name, tenant = _name, scopes = KeyServer.List("admin") });
        await server.CallAsync(KeyServer.Boss, "PUT", $"/queues/{_name}", new { });

        (await server.CallAsync(all, "POST", $"/queues/{_name}/pause")).Status.ShouldBe(200);
        (await server.CallAsync(one, "POST", $"/queues/{_name}/pause")).Status.ShouldBe(403);
        (await server.CallAsync(one, "GET", "/audit?action=auth")).Status.ShouldBe(200);
    }

    [Theory]
    [InlineData("{}", "name")]
    [InlineData("""{"name":" x"}""", "name")]
    [InlineData("""{"name":"x","key":"mine"}""", "key")]
    [InlineData("""{"name":"x","scopes":["root"]}""", "root")]
    [InlineData("""{"name":"x","scopes":[]}""", "scopes")]
    [InlineData("""{"name":"x","scopes":[null]}""", "scopes")]
    [InlineData("""{"name":"x","scopes":["all-tenants"]}""", "all-tenants")]
    [InlineData("""{"name":"x","scopes":["work"]}""", "queues")]
    [InlineData("""{"name":"x","queues":["a b"]}""", "queues")]
    [InlineData("""{"name":"x","tenant":""}""", "tenant")]
    [InlineData("""{"name":"x","expires_at":"2990-01-01T00:00:00"}""", "expires_at")]
    [InlineData("""{"name":"x","expires_at":"2020-01-01T00:00:00Z"}""", "expires_at")]
    [InlineData("""{"name":"x","expires_at":1e300}""", "expires_at")]
    [InlineData("""{"name":"x","rate":{"per_second":0}}""", "rate")]
    [InlineData("""{"name":"x","quota":{"queues":-2}}""", "quota")]
    [InlineData("""{"name":"x","quota":{"tables":1}}""", "tables")]
    public async Task Invalid_requests_are_refused(string body, string named)
    {
        var reply = await server.CallAsync(KeyServer.Boss, "POST", "/keys", body);
        Problems.Expect(reply, 400, "invalid_request").Text("detail")!.ShouldContain(named);
    }

    [Fact]
    public async Task A_revoked_key_is_refused_and_gone()
    {
        var (id, key) = await server.IssueAsync(new { name = _name });
        (await server.CallAsync(key, "GET", "/queues")).Status.ShouldBe(200);

        (await server.CallAsync(KeyServer.Boss, "DELETE", $"/keys/{id}")).Status.ShouldBe(204);

        (await server.CallAsync(key, "GET", "/queues", from: "10.9.0.1")).Status.ShouldBe(401);
        Problems.Expect(await server.CallAsync(KeyServer.Boss, "GET", $"/keys/{id}"), 404, "not_found");
        Problems.Expect(await server.CallAsync(KeyServer.Boss, "DELETE", $"/keys/{id}"), 404, "not_found");
        Problems.Expect(await server.CallAsync(KeyServer.Boss, "POST", "/keys/nonsense/rotate", new { }), 404, "not_found");
    }

    [Fact]
    public async Task A_rotated_key_has_a_new_text_and_the_old_one_ends_with_the_overlap()
    {
        var (id, first) = await server.IssueAsync(new { name = _name });

        var second = (await server.CallAsync(KeyServer.Boss, "POST", $"/keys/{id}/rotate")).Json.Text("key")!;
        (await server.CallAsync(first, "GET", "/queues", from: "10.9.0.2")).Status.ShouldBe(401);
        (await server.CallAsync(second, "GET", "/queues")).Status.ShouldBe(200);

        var third = (await server.CallAsync(KeyServer.Boss, "POST", $"/keys/{id}/rotate", new { overlap_seconds = 2 })).Json;
        third.Text("id").ShouldBe(id);
        (await server.CallAsync(third.Text("key"), "GET", "/queues")).Status.ShouldBe(200);
        (await server.CallAsync(second, "GET", "/queues", from: "10.9.0.3")).Status.ShouldBe(200);
        await Eventually.UntilAsync(
            async () => (await server.CallAsync(second, "GET", "/queues", from: "10.9.0.3")).Status != 200,
            TestHttp.Patience, "the overlap ends");
        (await server.CallAsync(third.Text("key"), "GET", "/queues")).Status.ShouldBe(200);
        Problems.Expect(await server.CallAsync(KeyServer.Boss, "POST", $"/keys/{id}/rotate", new { overlap_seconds = 604_801 }), 400,
            "invalid_request");
    }

    [Fact]
    public async Task An_expired_key_is_refused()
    {
        var soon = TimeProvider.System.GetUtcNow().AddSeconds(2).ToUnixTimeSeconds() + 1;
        var (_, key) = await server.IssueAsync(new { name = _name, expires_at = soon });
        (await server.CallAsync(key, "GET", "/queues")).Status.ShouldBe(200);
        await Eventually.UntilAsync(
            async () => (await server.CallAsync(key, "GET", "/queues", from: "10.9.0.4")).Status is 401 or 429,
            TestHttp.Patience, "the key expires");
    }

    [Fact]
    public async Task The_minute_of_the_last_use_is_shown()
    {
        var (id, key) = await server.IssueAsync(new { name = _name });
        (await server.CallAsync(KeyServer.Boss, "GET", $"/keys/{id}")).Json.GetProperty("last_used_at")
            .ValueKind.ShouldBe(JsonValueKind.Null);
        await server.CallAsync(key, "GET", "/queues");
        await Eventually.UntilAsync(
            async () =>
                (await server.CallAsync(KeyServer.Boss, "GET", $"/keys/{id}")).Json.Text("last_used_at") is { } at
                    && at.EndsWith(":00Z", StringComparison.Ordinal),
            TestHttp.Patience, "the last use is written");
    }

    [Fact]
    public async Task Without_authentication_no_key_is_issued()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString);
        Problems.Expect(await host.Http.PostAsync("/keys", new { name = "x" }), 409, "authentication_off")
            .Text("detail")!.ShouldContain("TaskQueue:Auth:ApiKeys");
    }

    [Fact]
    public async Task Issued_keys_keep_authentication_on_after_the_last_configured_key_is_removed()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        string key;
        await using (var first = await TestHost.StartAsync(database.ConnectionString, settings: KeyServer.Settings()))
            key = (await KeyServer.CallAsync(first.Http, KeyServer.Boss, "POST", "/keys", new { name = "x" })).Json.Text("key")!;

        await using var second = await TestHost.StartAsync(database.ConnectionString);
        (await second.Http.ReadAsync("/queues")).Status.ShouldBe(401);
        (await KeyServer.CallAsync(second.Http, key, "GET", "/queues")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task No_key_is_in_the_log_at_any_level()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var settings = KeyServer.Settings().Where(s => s.Value is not null).ToDictionary(s => s.Key, s => s.Value!);
        foreach (var category in KeyServer.List("Default", "Microsoft.AspNetCore", "Microsoft.EntityFrameworkCore",
            "Microsoft.EntityFrameworkCore.Database.Command"))
            settings[$"Logging:LogLevel:{category}"] = "Trace";
        await using var process = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database.ConnectionString, null, settings);
        var issued = (await KeyServer.CallAsync(process.Http, KeyServer.Boss, "POST", "/keys", new { name = "x" })).Json;
        var rotated = (await KeyServer.CallAsync(process.Http, KeyServer.Boss, "POST", $"/keys/{issued.Text("id")}/rotate",
            new { overlap_seconds = 60 })).Json;
        foreach (var key in new[] { issued, rotated })
            (await KeyServer.CallAsync(process.Http, key.Text("key"), "GET", "/queues")).Status.ShouldBe(200);
        await process.TerminateAsync();

        process.Output.ShouldContain("key.rotate");
        foreach (var secret in new[] { issued.Text("key")!, rotated.Text("key")!, KeyServer.Boss })
            process.Output.ShouldNotContain(secret);
    }

    private static async Task<byte[]> ReadSharedAsync(string file)
    {
        await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var copy = new MemoryStream();
        await stream.CopyToAsync(copy);
        return copy.ToArray();
    }
}
