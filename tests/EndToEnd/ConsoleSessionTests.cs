using System.Net;
using System.Text.Json;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Sessions of the console: sign-in with a key, and what a session may do.</summary>
public sealed class ConsoleSessionTests(ConsoleServer server) : IClassFixture<ConsoleServer>
{
    private static readonly string[] ReadScope = ["read"];
    private static readonly string[] MailQueue = ["mail"];

    [Fact]
    public async Task A_session_says_who_is_signed_in()
    {
        using var browser = server.Browser();
        var before = await browser.SessionAsync();
        before.Text("authentication").ShouldBe("key");
        before.GetProperty("methods").EnumerateArray().Select(m => m.GetString()).ShouldBe(["key"]);
        before.GetProperty("caller").ValueKind.ShouldBe(JsonValueKind.Null);
        before.GetProperty("can_see_payloads").GetBoolean().ShouldBeFalse();

        (await browser.SignInAsync(KeyServer.Boss)).Status.ShouldBe(200);
        var session = await browser.SessionAsync();
        var caller = session.GetProperty("caller");
        (caller.Text("name"), caller.Text("tenant"), caller.Text("method")).ShouldBe(("boss", "boss", "key"));
        caller.GetProperty("operator").GetBoolean().ShouldBeTrue();
        caller.GetProperty("scopes").GetArrayLength().ShouldBe(4);
        session.GetProperty("can_see_payloads").GetBoolean().ShouldBeTrue();
        session.GetProperty("read_only").GetBoolean().ShouldBeFalse();
        session.Text("csrf_header").ShouldBe("X-TaskQueue-Console");
        session.GetProperty("expires_at").GetDateTime().ShouldBeGreaterThan(TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(7));

        (await browser.SendAsync("DELETE", "/console/session")).Status.ShouldBe(204);
        (await browser.SessionAsync()).GetProperty("caller").ValueKind.ShouldBe(JsonValueKind.Null);
        (await browser.SendAsync("GET", "/queues")).Status.ShouldBe(401);
    }

    [Fact]
    public async Task The_cookie_holds_no_key_and_opens_what_the_key_opens()
    {
        using var browser = await server.SignedInAsync(KeyServer.Reader);
        var cookie = browser.Cookies.GetAllCookies().ShouldHaveSingleItem();
        (cookie.Name, cookie.HttpOnly, cookie.Path).ShouldBe(("taskqueue_console", true, "/"));
        cookie.Value.ShouldNotContain(KeyServer.Reader);

        (await browser.SendAsync("GET", "/queues")).Status.ShouldBe(200);
        (await browser.SendAsync("GET", "/tasks")).Status.ShouldBe(200);
        (await browser.SendAsync("GET", "/keys")).Status.ShouldBe(403, "the key lacks admin");
        var refused = await browser.SendAsync("POST", "/tasks", new { action = "a" });
        refused.Status.ShouldBe(403, "the key lacks enqueue");
    }

    [Fact]
    public async Task A_tenants_session_sees_its_own_only()
    {
        var his = await SubmitAsync(KeyServer.Boss);
        var hers = await SubmitAsync(KeyServer.AnnAdmin);
        using var ann = await server.SignedInAsync(KeyServer.AnnAdmin);
        (await ann.SendAsync("GET", $"/tasks/{hers}")).Status.ShouldBe(200);
        (await ann.SendAsync("GET", $"/tasks/{his}")).Status.ShouldBe(404);
        (await ann.SendAsync("POST", $"/tasks/{his}/cancel")).Status.ShouldBe(404);
        using var boss = await server.SignedInAsync(KeyServer.Boss);
        (await boss.SendAsync("GET", $"/tasks/{hers}")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task A_change_needs_the_header_that_other_sites_cannot_send()
    {
        using var browser = await server.SignedInAsync(KeyServer.Boss);
        foreach (var header in new[] { null, "", "0", "true" })
        {
            var refused = await browser.SendAsync("POST", "/tasks/bulk", new { tasks = new[] { new { action = "a" } } }, header);
            (refused.Status, refused.Json.Text("code")).ShouldBe((403, "console_header_missing"));
            refused.Json.Text("detail")!.ShouldContain("X-TaskQueue-Console: 1");
        }

        (await browser.SendAsync("PUT", "/queues/csrf", new { }, header: null)).Status.ShouldBe(403);
        (await browser.SendAsync("DELETE", "/queues/csrf", header: null)).Status.ShouldBe(403);
        (await browser.SendAsync("POST", "/console/session", new { key = KeyServer.Boss }, header: null)).Status.ShouldBe(403);
        (await browser.SendAsync("DELETE", "/console/session", header: null)).Status.ShouldBe(403);
        (await browser.SendAsync("PUT", "/queues/csrf", new { })).Status.ShouldBe(201);
    }

    [Theory]
    [InlineData("/v1/files")]
    [InlineData("/v1/batches")]
    [InlineData("/webhooks/secret")]
    [InlineData("/v1/console/queue/stats")]
    [InlineData("/agent/task-status/x")]
    public async Task Other_APIs_take_keys_only(string path)
    {
        using var browser = await server.SignedInAsync(KeyServer.Boss);
        (await browser.SendAsync("GET", path)).Status.ShouldBe(401);
    }

    [Fact]
    public async Task A_key_in_the_header_is_asked_before_the_cookie()
    {
        using var browser = await server.SignedInAsync(KeyServer.Boss);
        using var reader = await browser.OpenAsync("GET", "/keys", headers: ("Authorization", $"Bearer {KeyServer.Reader}"));
        reader.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        using var wrong = await browser.OpenAsync("GET", "/queues", headers: ("Authorization", "Bearer wrong"));
        wrong.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task A_session_ends_with_its_key()
    {
        var (id, key) = await IssueAsync("leaver");
        using var browser = await server.SignedInAsync(key);
        (await browser.SendAsync("GET", "/queues")).Status.ShouldBe(200);
        (await KeyServer.CallAsync(server.Host.Http, KeyServer.Boss, "DELETE", $"/keys/{id}")).Status.ShouldBe(204);
        (await browser.SendAsync("GET", "/queues")).Status.ShouldBe(401);
        (await browser.SessionAsync()).GetProperty("caller").ValueKind.ShouldBe(JsonValueKind.Null);
        browser.Cookies.GetAllCookies().ShouldBeEmpty();

        var (other, text) = await IssueAsync("rotated");
        using var second = await server.SignedInAsync(text);
        (await KeyServer.CallAsync(server.Host.Http, KeyServer.Boss, "POST", $"/keys/{other}/rotate", new { })).Status.ShouldBe(200);
        (await second.SendAsync("GET", "/queues")).Status.ShouldBe(401);
    }

    [Fact]
    public async Task A_stream_of_events_ends_with_its_session()
    {
        var (id, key) = await IssueAsync("listener");
        using var browser = await server.SignedInAsync(key);
        using var answer = await browser.OpenAsync("GET", "/events");
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await KeyServer.CallAsync(server.Host.Http, KeyServer.Boss, "DELETE", $"/keys/{id}")).Status.ShouldBe(204);
        // The heartbeat after 15 s checks the session.
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync());
        await lines.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task Without_encryption_sessions_are_those_of_one_process()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        CookieCollection cookies;
        await using (var host = await ConsoleServer.StartAsync(database, KeyServer.Settings()))
        {
            using var first = new ConsoleBrowser(host.Http.BaseAddress!);
            (await first.SignInAsync(KeyServer.Boss)).Status.ShouldBe(200);
            (await first.SendAsync("GET", "/queues")).Status.ShouldBe(200);
            cookies = first.Cookies.GetAllCookies();
        }

        await using var next = await ConsoleServer.StartAsync(database, KeyServer.Settings());
        using var second = new ConsoleBrowser(next.Http.BaseAddress!);
        second.Cookies.Add(cookies);
        (await second.SendAsync("GET", "/queues")).Status.ShouldBe(401);
    }

    [Fact]
    public async Task A_forged_cookie_is_nobody()
    {
        using var browser = await server.SignedInAsync(KeyServer.Boss);
        var cookie = browser.Cookies.GetAllCookies().Single().Value;
        foreach (var forged in new[] { "x", $"{cookie[..^4]}AAAA", cookie[..20], new string('A', 5000), "%00" })
        {
            using var other = server.Browser();
            using var answer = await other.OpenAsync("GET", "/queues", headers: ("Cookie", $"taskqueue_console={forged}"));
            answer.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        }
    }

    [Fact]
    public async Task Guesses_are_throttled_and_audited()
    {
        using var browser = server.Browser();
        var answers = new List<int>();
        for (var i = 0; i < 12; i++)
            answers.Add((await browser.SendAsync("POST", "/console/session", new { key = $"guess-{i}" }, from: "198.51.100.9")).Status);
        answers.ShouldContain(401);
        answers[^1].ShouldBe(429);
        (await browser.SendAsync("POST", "/console/session", new { key = KeyServer.Boss }, from: "198.51.100.9"))
            .Status.ShouldBe(200, "a valid key is never refused");
        (await browser.SendAsync("DELETE", "/console/session", from: "198.51.100.9")).Status.ShouldBe(204);

        var audit = await KeyServer.CallAsync(server.Host.Http, KeyServer.Boss, "GET", "/audit?address=198.51.100.9&action=console.");
        var records = audit.Json.GetProperty("records").EnumerateArray()
            .Select(r => (r.Text("action"), r.Text("actor"), r.Text("result"))).ToList();
        records.ShouldContain(("console.sign_in", "boss", "done"));
        records.ShouldContain(("console.sign_out", "boss", "done"));
    }

    [Theory]
    [InlineData("{}", 400)]
    [InlineData("""{"key":""}""", 400)]
    [InlineData("""{"key":7}""", 400)]
    [InlineData("""{"key":"a","b":1}""", 400)]
    [InlineData("key", 400)]
    public async Task Bad_input_is_said(string body, int status)
    {
        using var browser = server.Browser();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/console/session") { Content = new StringContent(body) };
        request.Headers.Add("X-TaskQueue-Console", "1");
        using var answer = await browser.Http.SendAsync(request);
        ((int)answer.StatusCode).ShouldBe(status);
    }

    [Fact]
    public async Task A_read_only_console_only_reads()
    {
        var host = await server.StartAsync(new(KeyServer.Settings()) { ["TaskQueue:Console:ReadOnly"] = "true" });
        using var browser = new ConsoleBrowser(host.Http.BaseAddress!);
        (await browser.SignInAsync(KeyServer.Boss)).Json.GetProperty("read_only").GetBoolean().ShouldBeTrue();
        (await browser.SendAsync("GET", "/queues")).Status.ShouldBe(200);
        var refused = await browser.SendAsync("PUT", "/queues/mail", new { });
        (refused.Status, refused.Json.Text("code")).ShouldBe((403, "read_only"));
        (await KeyServer.CallAsync(host.Http, KeyServer.Boss, "PUT", "/queues/mail", new { })).Status.ShouldBe(201, "keys may change");
        (await browser.SendAsync("DELETE", "/console/session")).Status.ShouldBe(204);
    }

    [Fact]
    public async Task Payloads_can_be_hidden_from_sessions()
    {
        var host = await server.StartAsync(new(KeyServer.Settings()) { ["TaskQueue:Console:ShowPayloads"] = "false" });
        var submitted = await KeyServer.CallAsync(host.Http, KeyServer.Boss, "POST", "/tasks",
            new { action = "a", queue = "mail", data = new { secret = "tulip" } });
        var id = submitted.Json.Id();
        using var browser = new ConsoleBrowser(host.Http.BaseAddress!);
        var session = (await browser.SignInAsync(KeyServer.Boss)).Json;
        session.GetProperty("can_see_payloads").GetBoolean().ShouldBeFalse();
        var task = await browser.SendAsync("GET", $"/tasks/{id}");
        task.Text.ShouldNotContain("tulip");
        task.Json.Text("payload").ShouldBe("***");
        (await browser.SendAsync("GET", "/tasks")).Text.ShouldNotContain("tulip");
        (await browser.SendAsync("POST", "/workers/claim", new { queues = MailQueue, worker = "w" })).Status.ShouldBe(403);
        (await KeyServer.CallAsync(host.Http, KeyServer.Boss, "GET", $"/tasks/{id}")).Text.ShouldContain("tulip");

        var key = new { name = "peeper", tenant = "peeper", scopes = ReadScope };
        var refused = await browser.SendAsync("POST", "/keys", key);
        (refused.Status, refused.Json.Text("code")).ShouldBe((403, "forbidden"));
        refused.Json.Text("detail")!.ShouldContain("hides payloads");
        var issued = (await KeyServer.CallAsync(host.Http, KeyServer.Boss, "POST", "/keys", key)).Json.Text("id");
        (await browser.SendAsync("POST", $"/keys/{issued}/rotate", new { })).Status.ShouldBe(403);
        (await browser.SendAsync("DELETE", $"/keys/{issued}")).Status.ShouldBe(204, "revoking shows nothing");
    }

    [Fact]
    public async Task Without_keys_nobody_signs_in()
    {
        var host = await server.StartAsync(new() { ["TaskQueue:Console:ReadOnly"] = "true", ["Logging:LogLevel:Default"] = "Error" });
        using var browser = new ConsoleBrowser(host.Http.BaseAddress!);
        var session = await browser.SessionAsync();
        session.Text("authentication").ShouldBe("none");
        session.GetProperty("methods").GetArrayLength().ShouldBe(0);
        session.GetProperty("caller").GetProperty("operator").GetBoolean().ShouldBeTrue();
        (await browser.SignInAsync("any")).Json.Text("code").ShouldBe("authentication_off");
        (await browser.SendAsync("PUT", "/queues/mail", new { })).Json.Text("code").ShouldBe("read_only");
        (await browser.SendAsync("PUT", "/queues/mail", new { }, header: null)).Status.ShouldBe(201, "as before for other clients");
    }

    [Fact]
    public async Task Processes_share_sessions()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        var host = await TestServers.CreateVirtualHostAsync();
        try
        {
            var settings = ConsoleServer.Encrypted();
            await using var one = await ConsoleServer.StartAsync(database, settings, host);
            await using var two = await ConsoleServer.StartAsync(database, settings, host);
            using var first = new ConsoleBrowser(one.Http.BaseAddress!);
            using var second = new ConsoleBrowser(two.Http.BaseAddress!);
            var signedIn = await Task.WhenAll(first.SignInAsync(KeyServer.Boss), second.SignInAsync(KeyServer.Reader));
            signedIn.ShouldAllBe(r => r.Status == 200);
            await ReadsAsync(two, first);
            await ReadsAsync(one, second);
        }
        finally
        {
            await TestServers.DeleteVirtualHostAsync(host);
        }

        static async Task ReadsAsync(TestHost server, ConsoleBrowser of)
        {
            using var browser = new ConsoleBrowser(server.Http.BaseAddress!);
            browser.Cookies.Add(of.Cookies.GetAllCookies());
            (await browser.SendAsync("GET", "/queues")).Status.ShouldBe(200);
        }
    }

    private async Task<Guid> SubmitAsync(string key) =>
        (await KeyServer.CallAsync(server.Host.Http, key, "POST", "/tasks", new { action = "a", queue = "sessions" })).Json.Id();

    private async Task<(string Id, string Key)> IssueAsync(string name)
    {
        var issued = await KeyServer.CallAsync(server.Host.Http, KeyServer.Boss, "POST", "/keys",
            new { name, tenant = name, scopes = ReadScope });
        return (issued.Json.Text("id")!, issued.Json.Text("key")!);
    }
}
