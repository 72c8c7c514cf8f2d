using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>No issuer grants more than it has, and none touches a key that may do more than it may.</summary>
public sealed class KeyRulesTests(KeyServer server) : IClassFixture<KeyServer>
{
    [Theory]
    [InlineData(KeyServer.Boss, """{"name":"k","tenant":"anyone","scopes":["admin","work:*"],"quota":{"queues":1}}""", 201)]
    [InlineData(KeyServer.Reader, """{"name":"k"}""", 403)]
    [InlineData(KeyServer.AnnAdmin, """{"name":"k"}""", 201)]
    [InlineData(KeyServer.AnnAdmin, """{"name":"k","tenant":"ann","scopes":["admin"]}""", 201)]
    [InlineData(KeyServer.AnnAdmin, """{"name":"k","tenant":"ben"}""", 403)]
    [InlineData(KeyServer.AnnAdmin, """{"name":"k","quota":{"queues":1000000}}""", 403)]
    [InlineData(KeyServer.ShopAdmin, """{"name":"k"}""", 403)]
    [InlineData(KeyServer.ShopAdmin, """{"name":"k","queues":["*"]}""", 403)]
    [InlineData(KeyServer.ShopAdmin, """{"name":"k","queues":["sho*"]}""", 403)]
    [InlineData(KeyServer.ShopAdmin, """{"name":"k","queues":["mail"]}""", 403)]
    [InlineData(KeyServer.ShopAdmin, """{"name":"k","queues":["shop"]}""", 403)]
    [InlineData(KeyServer.ShopAdmin, """{"name":"k","queues":["shop-1","shop-2-"]}""", 201)]
    [InlineData(KeyServer.ShopAdmin, """{"name":"k","scopes":["admin:shop-*","enqueue:shop-1"]}""", 201)]
    [InlineData(KeyServer.ShopAdmin, """{"name":"k","scopes":["work:shop-1"]}""", 403)]
    [InlineData(KeyServer.ShopAdmin, """{"name":"k","scopes":["admin"],"queues":["shop-*"]}""", 201)]
    [InlineData(KeyServer.ShopAdmin, """{"name":"k","scopes":["admin:shop-*","read"]}""", 403)]
    [InlineData(KeyServer.ShopAdmin, """{"name":"k","scopes":["admin"]}""", 403)]
    [InlineData(KeyServer.EveryShopAdmin, """{"name":"k","tenant":"shop","queues":["shop-*"]}""", 403)]
    [InlineData(KeyServer.EveryShopAdmin, """{"name":"k","scopes":["admin:shop-*"]}""", 201)]
    public async Task A_key_is_issued_only_within_the_rights_of_its_issuer(string by, string body, int status)
    {
        var reply = await server.CallAsync(by, "POST", "/keys", body);
        reply.Status.ShouldBe(status, reply.Text);
    }

    [Theory]
    [InlineData("""{"name":"k","rate":{"per_second":51}}""", 403)]
    [InlineData("""{"name":"k","rate":{"per_second":50,"burst":101}}""", 403)]
    [InlineData("""{"name":"k","rate":{"per_second":50,"burst":100}}""", 201)]
    [InlineData("""{"name":"k"}""", 201)]
    public async Task An_issuer_with_the_default_rate_grants_no_higher_rate(string body, int status)
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var settings = KeyServer.Settings();
        (settings["TaskQueue:Limits:PerSecond"], settings["TaskQueue:Limits:Burst"]) = ("50", "100");
        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: settings);
        var reply = await KeyServer.CallAsync(host.Http, KeyServer.AnnAdmin, "POST", "/keys", body);
        reply.Status.ShouldBe(status, reply.Text);
        var fast = await KeyServer.CallAsync(host.Http, KeyServer.Boss, "POST", "/keys",
            """{"name":"k","tenant":"ann","rate":{"per_second":1000}}""");
        fast.Status.ShouldBe(201);
        (await KeyServer.CallAsync(host.Http, KeyServer.AnnAdmin, "POST", $"/keys/{fast.Json.Text("id")}/rotate"))
            .Status.ShouldBe(403, "nor takes one over");
    }

    [Fact]
    public async Task Keys_issued_by_a_confined_administrator_are_confined_whatever_their_name()
    {
        var (_, key) = await server.IssueAsync(new { name = "ann", scopes = KeyServer.List("admin") }, KeyServer.AnnAdmin);
        await server.CallAsync(KeyServer.Boss, "PUT", "/queues/shared-by-all", new { });

        (await server.CallAsync(key, "POST", "/queues/shared-by-all/pause")).Status.ShouldBe(403);
        var (_, second) = await server.IssueAsync(new { name = "deeper", scopes = KeyServer.List("admin") }, key);
        (await server.CallAsync(second, "POST", "/queues/shared-by-all/pause")).Status.ShouldBe(403);
        (await server.CallAsync(second, "POST", "/keys", new { name = "x", tenant = "ben" })).Status.ShouldBe(403);
    }

    [Fact]
    public async Task Administrators_of_every_tenant_in_some_queues_issue_keys_of_their_own_tenant_only()
    {
        var (_, key) = await server.IssueAsync(new { name = "k", scopes = KeyServer.List("admin:shop-*") }, KeyServer.EveryShopAdmin);
        await server.CallAsync(KeyServer.Boss, "PUT", "/queues/shop-shared", new { });
        (await server.CallAsync(KeyServer.EveryShopAdmin, "POST", "/queues/shop-shared/pause")).Status.ShouldBe(200);
        (await server.CallAsync(key, "POST", "/queues/shop-shared/pause")).Status.ShouldBe(403);
    }

    [Fact]
    public async Task Keys_of_other_tenants_are_invisible_and_more_powerful_keys_of_the_tenant_are_protected()
    {
        var (bens, _) = await server.IssueAsync(new { name = "k", tenant = "ben" });
        var (strong, _) = await server.IssueAsync(new { name = "k", tenant = "shop", scopes = KeyServer.List("admin") });
        var (free, _) = await server.IssueAsync(new { name = "shop", scopes = KeyServer.List("enqueue:shop-1") });
        var (own, key) = await server.IssueAsync(new { name = "k", queues = KeyServer.List("shop-1") }, KeyServer.ShopAdmin);

        foreach (var (method, below) in new[] { ("GET", ""), ("DELETE", ""), ("POST", "/rotate") })
            Problems.Expect(await server.CallAsync(KeyServer.ShopAdmin, method, $"/keys/{bens}{below}"), 404, "not_found");
        foreach (var id in new[] { strong, free })
        {
            (await server.CallAsync(KeyServer.ShopAdmin, "GET", $"/keys/{id}")).Status.ShouldBe(200);
            (await server.CallAsync(KeyServer.ShopAdmin, "POST", $"/keys/{id}/rotate")).Status.ShouldBe(403);
            (await server.CallAsync(KeyServer.ShopAdmin, "DELETE", $"/keys/{id}")).Status.ShouldBe(403);
        }

        var listed = (await server.CallAsync(KeyServer.ShopAdmin, "GET", "/keys")).Json.GetProperty("keys").EnumerateArray().ToList();
        listed.ShouldAllBe(k => k.Text("tenant") == "shop");
        listed.Select(k => k.Text("id")).ShouldContain(own);
        (await server.CallAsync(key, "GET", "/keys")).Status.ShouldBe(403);
        (await server.CallAsync(KeyServer.ShopAdmin, "POST", $"/keys/{own}/rotate")).Status.ShouldBe(200);
        (await server.CallAsync(KeyServer.ShopAdmin, "DELETE", $"/keys/{own}")).Status.ShouldBe(204);
    }

    [Fact]
    public async Task An_issued_key_has_no_longer_life_and_no_higher_rate_than_its_issuer()
    {
        var until = TimeProvider.System.GetUtcNow().AddDays(1).ToUnixTimeSeconds();
        var (_, admin) = await server.IssueAsync(new { name = "brief", tenant = "brief", scopes = KeyServer.List("admin"),
            expires_at = until, rate = new { per_second = 500 } });
        var (lasting, _) = await server.IssueAsync(new { name = "lasting", tenant = "brief" });

        (await server.CallAsync(admin, "POST", "/keys", new { name = "k", expires_at = until + 1 })).Status.ShouldBe(403);
        (await server.CallAsync(admin, "POST", "/keys", new { name = "k", rate = new { per_second = 501 } })).Status.ShouldBe(403);
        (await server.CallAsync(admin, "POST", $"/keys/{lasting}/rotate")).Status.ShouldBe(403);
        var made = (await server.CallAsync(admin, "POST", "/keys", new { name = "k" })).Json;
        made.GetProperty("expires_at").GetDateTimeOffset().ToUnixTimeSeconds().ShouldBe(until);
        made.GetProperty("rate").Whole("per_second").ShouldBe(500);
    }

    [Fact]
    public async Task A_key_with_the_same_name_does_not_get_another_keys_lease()
    {
        var queue = $"q{Guid.NewGuid():N}"[..12];
        var (_, one) = await server.IssueAsync(new { name = "same", tenant = "t1", scopes = KeyServer.List("enqueue", "work"),
            queues = KeyServer.List(queue) });
        var (_, other) = await server.IssueAsync(new { name = "same", tenant = "t2", scopes = KeyServer.List("work"),
            queues = KeyServer.List(queue) });
        (await server.CallAsync(one, "POST", "/tasks", new { action = "a", queue })).Status.ShouldBe(202);
        var task = (await server.CallAsync(one, "POST", "/workers/claim", new { queues = KeyServer.List(queue), worker = "w", max = 1 }))
            .Json.GetProperty("tasks")[0];
        var report = new { tasks = new[] { new { id = task.Text("id"), attempt = task.Whole("attempt"), outcome = "completed" } } };

        Code(await server.CallAsync(other, "POST", "/workers/report", report)).ShouldNotBe("ok");
        Code(await server.CallAsync(one, "POST", "/workers/report", report)).ShouldBe("ok");
    }

    private static string Code(Reply reply) =>
        reply.Status == 200 ? reply.Json.GetProperty("tasks")[0].Text("code")!
            : throw new InvalidOperationException($"{reply.Status}: {reply.Text}");
}
