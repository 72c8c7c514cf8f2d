using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Grpc.Core;
using Grpc.Net.Client;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using V0 = TaskQueue.Moab.V0;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Keys of tenants on servers with small quotas.</summary>
internal static class QuotaKeys
{
    private static readonly string[] Names = ["ann", "ben", "eve", "boss"];

    public static Dictionary<string, string?> Settings(params (string Key, string Value)[] quotas)
    {
        var settings = new Dictionary<string, string?> { ["Logging:LogLevel:Default"] = "Error" };
        foreach (var (index, name) in Names.Index())
        {
            settings[$"TaskQueue:Auth:ApiKeys:{index}:Name"] = name;
            settings[$"TaskQueue:Auth:ApiKeys:{index}:Tenant"] = name == "boss" ? null : name;
            settings[$"TaskQueue:Auth:ApiKeys:{index}:KeyHash"] =
                Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(TestKeys.Of($"key-{name}"))));
            settings[$"TaskQueue:Auth:ApiKeys:{index}:Scopes:0"] = "admin";
            settings[$"TaskQueue:Auth:ApiKeys:{index}:Scopes:1"] = "work:*";
        }

        foreach (var (key, value) in quotas)
            settings[$"TaskQueue:Quotas:{key}"] = value;
        return settings;
    }

    public static HttpClient ClientOf(this TestHost host, string name) => new()
    {
        BaseAddress = host.Http.BaseAddress,
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", TestKeys.Of($"key-{name}")) },
    };

    public static async Task<(Reply Reply, RetryConditionHeaderValue? RetryAfter)> UploadAsync(this HttpClient http, int bytes)
    {
        using var content = new ByteArrayContent(new byte[bytes]);
        using var purpose = new StringContent("batch");
        using var form = new MultipartFormDataContent { { purpose, "purpose" }, { content, "file", "f.jsonl" } };
        using var answer = await http.PostAsync("/v1/files", form);
        return (new Reply((int)answer.StatusCode, answer.Content.Headers.ContentType?.MediaType, await answer.Content.ReadAsStringAsync()),
            answer.Headers.RetryAfter);
    }
}

/// <summary>Responses of each API to an exhausted quota, and other tenants are unaffected.</summary>
public sealed class QuotaApiTests : IAsyncLifetime
{
    private TestDatabase _database = null!;
    private TestHost _host = null!;
    private HttpClient _ann = null!, _ben = null!, _boss = null!, _eve = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        _host = await TestHost.StartAsync(_database.ConnectionString, settings: QuotaKeys.Settings(
            ("Default:WaitingTasks", "3"), ("Default:FileBytes", "1000"), ("Default:Queues", "2"), ("Default:Schedules", "1"),
            ("Default:Streams", "2"),
            ("Tenants:eve:RequestsPerSecond", "5"), ("Tenants:boss:Queues", "-1")));
        (_ann, _ben, _boss, _eve) = (_host.ClientOf("ann"), _host.ClientOf("ben"), _host.ClientOf("boss"), _host.ClientOf("eve"));
    }

    public async Task DisposeAsync()
    {
        foreach (var client in new[] { _ann, _ben, _boss, _eve })
            client.Dispose();
        await _host.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task Each_API_refuses_tasks_over_quota_in_its_own_format()
    {
        (await _ann.PostAsync("/v1/queue/register", new { queue = "b", endpoint = "/e" })).Status.ShouldBe(200);
        (await _ann.PutAsync("/queues/m", new { })).Status.ShouldBe(201);
        var ids = await _ann.SubmitManyAsync([.. Enumerable.Repeat(new { queue = "q", action = "a" }, 3)]);

        var tasks = await _ann.PostAsync("/tasks", new { queue = "q", action = "a" });
        tasks.Status.ShouldBe(429, tasks.Text);
        tasks.Json.Names().ShouldBe(["error"]);
        tasks.Json.Text("error").ShouldBe(
            "tenant ann may have 3 waiting tasks (waiting_tasks) and uses 3; wait until workers have taken some, or cancel some, or ask "
                + "the operator for a larger quota");
        var bulk = Problems.Expect(await _ann.PostAsync("/tasks/bulk", new { tasks = new[] { new { queue = "q", action = "a" } } }), 429,
            "quota_exceeded");
        bulk.Text("detail").ShouldBe(tasks.Json.Text("error"));
        var moab = await _ann.PostAsync("/moab/Enqueue", new { queue_name = "m", entries = new[] { new { payload = "1" } } });
        (moab.Status, moab.Json.Text("code"), moab.Json.GetProperty("details").Text("limit"),
            moab.Json.GetProperty("details").Text("resource"))
            .ShouldBe((429, "RESOURCE_EXHAUSTED", "3", "waiting_tasks"));
        var bella = await _ann.PostAsync("/v1/queue/put",
            new { queue = "b", endpoint = "/e", data = new { model = "m" }, callback_url = "https://example.com/" });
        (bella.Status, bella.Json.Whole("code"), bella.Json.GetProperty("error").Text("type"))
            .ShouldBe((429, 429, "insufficient_quota"), bella.Text);
        var agent = await _ann.PostAsync("/agent/process-async", new { query = "q" });
        (agent.Status, agent.Json.Text("detail")).ShouldBe((429, tasks.Json.Text("error")), agent.Text);

        await _ben.SubmitAsync(new { queue = "q", action = "a" });
        (await _ann.PostAsync($"/tasks/{ids[0]}/cancel", "")).Status.ShouldBe(200);
        await Eventually.UntilAsync(
            async () => (await _ann.PostAsync("/tasks", new { queue = "q", action = "a" })).Status == 202,
            TestHttp.Patience, "there is room again");
    }

    [Fact]
    public async Task Clients_of_gRPC_learn_what_is_exhausted_and_when_to_retry()
    {
        (await _ann.PutAsync("/queues/m", new { })).Status.ShouldBe(201);
        using var channel = GrpcChannel.ForAddress(_host.Http.BaseAddress!);
        var client = new V0.MoabApi.MoabApiClient(channel);
        var one = new V0.EnqueueRequest { QueueName = "m", Entries = { new V0.EnqueueRequestEntry() } };
        for (var i = 0; i < 3; i++)
            await client.EnqueueAsync(one, Of("ann"));

        var full = await Should.ThrowAsync<RpcException>(async () => await client.EnqueueAsync(one, Of("ann")));
        var often = await Should.ThrowAsync<RpcException>(() =>
            Task.WhenAll(Enumerable.Range(0, 30).Select(async _ => await client.ListQueuesAsync(new(), Of("eve")))));

        var info = MoabGrpcTransport.InfoOf(full);
        (full.StatusCode, info.Reason, info.Metadata["limit"], info.Metadata["resource"])
            .ShouldBe((StatusCode.ResourceExhausted, "RESOURCE_EXHAUSTED", "3", "waiting_tasks"));
        MoabGrpcTransport.RetryOf(full).ShouldBe(1);
        (often.StatusCode, MoabGrpcTransport.InfoOf(often).Reason).ShouldBe((StatusCode.ResourceExhausted, "RESOURCE_EXHAUSTED"));
        MoabGrpcTransport.RetryOf(often).ShouldNotBeNull().ShouldBeGreaterThan(0);

        static Metadata Of(string name) => new() { { "authorization", $"Bearer {TestKeys.Of($"key-{name}")}" } };
    }

    [Fact]
    public async Task A_refused_task_has_Retry_After()
    {
        await _ann.SubmitManyAsync([.. Enumerable.Repeat(new { queue = "q", action = "a" }, 3)]);
        using var body = new StringContent("""{"action":"a"}""", Encoding.UTF8, "application/json");
        using var answer = await _ann.PostAsync("/tasks", body);
        ((int)answer.StatusCode, answer.Headers.RetryAfter!.Delta).ShouldBe((429, TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public async Task Each_API_refuses_queues_and_schedules_over_quota_in_its_own_format()
    {
        (await _ann.PutAsync("/queues/a1", new { })).Status.ShouldBe(201);
        (await _ann.PostAsync("/v1/queue/register", new { queue = "a2", endpoint = "/e" })).Status.ShouldBe(200);
        Problems.Expect(await _ann.PutAsync("/queues/a3", new { }), 429, "quota_exceeded")
            .Text("detail")!.ShouldContain("may have 2 queues (queues) and uses 2; delete a queue");
        var bella = await _ann.PostAsync("/v1/queue/register", new { queue = "a4", endpoint = "/e" });
        (bella.Status, bella.Json.GetProperty("error").Text("type")).ShouldBe((429, "insufficient_quota"), bella.Text);
        var moab = await _ann.PostAsync("/moab/CreateQueue", new { name = "a5", keepalive_timeout_in_seconds = 5 });
        (moab.Status, moab.Json.Text("code"), moab.Json.GetProperty("details").Text("limit"))
            .ShouldBe((429, "RESOURCE_EXHAUSTED", "2"), moab.Text);
        (await _ben.PutAsync("/queues/b1", new { })).Status.ShouldBe(201);
        (await _ann.PutAsync("/queues/a1", new { max_running = 3 })).Status.ShouldBe(200);
        (await _ann.RemoveAsync("/queues/a2")).Status.ShouldBe(204);
        (await _ann.PutAsync("/queues/a3", new { })).Status.ShouldBe(201);

        (await _ann.PutAsync("/queues/a1/schedules/s", new { cron = "0 0 1 1 *", action = "a" })).Status.ShouldBe(201);
        Problems.Expect(await _ann.PutAsync("/queues/a1/schedules/t", new { cron = "0 0 1 1 *", action = "a" }), 429, "quota_exceeded");
        var schedule = await _ann.PostAsync("/moab/CreateSchedule",
            new { queue_name = "a1", name = "u", cron = "0 0 1 1 *", timezone = "UTC" });
        (schedule.Status, schedule.Json.Text("code")).ShouldBe((429, "RESOURCE_EXHAUSTED"), schedule.Text);
        (await _ann.PutAsync("/queues/a1/schedules/s", new { cron = "0 0 2 1 *", action = "a" })).Status.ShouldBe(200);
    }

    [Fact]
    public async Task Files_over_the_quota_leave_nothing()
    {
        (await _ann.UploadAsync(600)).Reply.Status.ShouldBe(200);
        var (refused, retryAfter) = await _ann.UploadAsync(600);
        (refused.Status, refused.Json.GetProperty("error").Text("type"), retryAfter)
            .ShouldBe((429, "insufficient_quota", null), refused.Text);
        (await _ann.UploadAsync(3_000_000)).Reply.Status.ShouldBe(429); // by its announced length
        (await _ben.UploadAsync(600)).Reply.Status.ShouldBe(200);
        (await _ann.ReadAsync("/v1/files")).Json.GetProperty("data").GetArrayLength().ShouldBe(1);
        (await QuotaAsync(_ann)).GetProperty("file_bytes").Whole("used").ShouldBe(600);
    }

    [Fact]
    public async Task Streams_and_waiting_requests_are_limited_until_they_end()
    {
        using var leave = new CancellationTokenSource();
        var waiting = ClaimAsync(_ann, leave.Token);
        using var events = await _ann.GetAsync("/events", HttpCompletionOption.ResponseHeadersRead);
        await Eventually.UntilAsync(
            async () => (await QuotaAsync(_ann)).GetProperty("streams").Whole("used") == 2, TestHttp.Patience, "both are open");

        Problems.Expect(await _ann.ReadAsync("/events"), 429, "quota_exceeded");
        Problems.Expect(await _ann.PostAsync("/workers/claim", Claim(1)), 429, "quota_exceeded");
        var id = await _ann.SubmitAsync(new { queue = "other", action = "a" });
        Problems.Expect(await _ann.ReadAsync($"/tasks/{id}?wait_seconds=1"), 429, "quota_exceeded");
        (await _ann.ReadAsync($"/tasks/{id}")).Status.ShouldBe(200);
        (await _ann.PostAsync("/workers/claim", Claim(0))).Status.ShouldBe(200);
        (await _ben.PostAsync("/workers/claim", Claim(0.1))).Status.ShouldBe(200);

        await leave.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => waiting);
        await Eventually.UntilAsync(
            async () => (await _ann.PostAsync("/workers/claim", Claim(0.1))).Status == 200, TestHttp.Patience, "one has ended");
    }

    [Fact]
    public async Task Quotas_hold_over_gRPC()
    {
        using var ann = new GrpcClient(_host.Http.BaseAddress!, TestKeys.Of("key-ann"));
        var claims = new List<ClaimCall> { await ann.ClaimAsync("q", credit: 1), await ann.ClaimAsync("q", credit: 1) };
        foreach (var claim in claims)
            (await claim.NextAsync()).ShouldBeTrue();
        (await QuotaAsync(_ann)).GetProperty("streams").Whole("used").ShouldBe(2);

        using (var third = await ann.ClaimAsync("q", credit: 1))
        {
            var (status, text, code, http) = await GrpcClient.RefusedAsync(third.RestAsync);
            (status, code, http).ShouldBe((Grpc.Core.StatusCode.ResourceExhausted, "quota_exceeded", 429));
            text.ShouldContain("streams");
        }

        await claims[0].CompleteAsync();
        (await claims[0].RestAsync()).ShouldBeEmpty();
        using (var fourth = await ann.ClaimAsync("q", credit: 1))
            (await fourth.NextAsync()).ShouldBeTrue();
        for (var i = 0; i < 3; i++)
            await ann.EnqueueAsync("b");
        (await GrpcClient.RefusedAsync(() => ann.EnqueueAsync("b"))).Code.ShouldBe("quota_exceeded");
        claims.ForEach(c => c.Dispose());
    }

    [Fact]
    public async Task Requests_are_limited_per_tenant_in_the_APIs_error_format()
    {
        var start = Stopwatch.GetTimestamp();
        var replies = await UntilRefusedAsync(() => _eve.ReadAsync("/queues"));
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        replies.Count(r => r.Status == 200).ShouldBeInRange(5, (int)(5 * (seconds + 3)));
        Problems.Expect(replies.First(r => r.Status != 200), 429, "quota_exceeded")
            .Text("detail")!.ShouldContain("may have 5 requests a second (requests_per_second)");
        var bella = (await UntilRefusedAsync(() => _eve.PostAsync("/v1/queue/take", new { }))).First(r => r.Status == 429);
        bella.Json.GetProperty("error").Text("type").ShouldBe("insufficient_quota");
        foreach (var client in new[] { _ann, _boss })
            (await client.ReadAsync("/queues")).Status.ShouldBe(200);
        await Eventually.UntilAsync(async () => (await _eve.ReadAsync("/queues")).Status == 200, TestHttp.Patience, "tokens come back");

        // A busy machine may be too slow for one burst to exceed the limit.
        static async Task<List<Reply>> UntilRefusedAsync(Func<Task<Reply>> callAsync)
        {
            var all = new List<Reply>();
            await Eventually.UntilAsync(
                async () =>
                {
                    all.AddRange(await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => callAsync())));
                    return all.Exists(r => r.Status == 429);
                },
                TestHttp.Patience, "a request is refused");
            return all;
        }
    }

    [Fact]
    public async Task A_tenant_sees_its_own_quota_and_an_administrator_all_quotas()
    {
        await _ann.SubmitAsync(new { queue = "q", action = "a" });
        (await _ann.PutAsync("/queues/a1", new { })).Status.ShouldBe(201);

        var quota = await QuotaAsync(_ann);
        quota.Names().ShouldBe(["tenant", "waiting_tasks", "file_bytes", "queues", "schedules", "streams", "requests_per_second"]);
        quota.Text("tenant").ShouldBe("ann");
        quota.GetProperty("waiting_tasks").GetRawText().ShouldBe("""{"limit":3,"used":1}""");
        quota.GetProperty("queues").GetRawText().ShouldBe("""{"limit":2,"used":1}""");
        quota.GetProperty("requests_per_second").GetRawText().ShouldBe("""{"limit":null,"used":null}""");
        Problems.Expect(await _ben.ReadAsync("/quota?tenant=ann"), 403, "forbidden");
        (await _ann.ReadAsync("/quota?tenant=ann")).Status.ShouldBe(200);
        (await _boss.ReadAsync("/quota?tenant=ann")).Json.GetProperty("queues").Whole("used").ShouldBe(1);
        (await QuotaAsync(_boss)).GetProperty("queues").GetRawText().ShouldBe("""{"limit":null,"used":0}""");
        Problems.Expect(await _boss.ReadAsync("/quota?tenant="), 400, "invalid_request");

        await _ann.SubmitManyAsync([.. Enumerable.Repeat(new { queue = "q", action = "a" }, 2)]);
        (await _ann.PostAsync("/tasks", new { queue = "q", action = "a" })).Status.ShouldBe(429);
        (await _boss.ReadAsync("/metrics")).Text.ShouldContain("taskqueue_quota_refused_total{resource=\"waiting_tasks\"}");
    }

    [Fact]
    public async Task Batches_of_a_tenant_over_its_quota_do_not_block_other_tenants()
    {
        (await _ann.PostAsync("/v1/queue/register", new { queue = "a", endpoint = "/e" })).Status.ShouldBe(200);
        (await _ben.PostAsync("/v1/queue/register", new { queue = "b", endpoint = "/e" })).Status.ShouldBe(200);
        await _ann.SubmitManyAsync([.. Enumerable.Repeat(new { queue = "q", action = "a" }, 3)]);
        var file = await UploadLineAsync(_ann, "a");
        for (var i = 0; i < 6; i++) // more than are processed at a time
            await CreateBatchAsync(_ann, file);

        await CreateBatchAsync(_ben, await UploadLineAsync(_ben, "b"));
        await Eventually.UntilAsync(
            async () => (await _ben.ReadAsync("/queues/b/tasks")).Json.GetProperty("tasks").GetArrayLength() == 1,
            TestHttp.Patience, "the other tenant's line is a task");
        (await _ann.ReadAsync("/queues/a/tasks")).Json.GetProperty("tasks").GetArrayLength().ShouldBe(0);
    }

    private static async Task<string> UploadLineAsync(HttpClient http, string model)
    {
        var line = $$$"""{"custom_id":"x","method":"POST","url":"/v1/chat/completions","body":{"model":"{{{model}}}"}}""";
        using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" },
            { new ByteArrayContent(Encoding.UTF8.GetBytes(line)), "file", "f.jsonl" } };
        using var answer = await http.PostAsync("/v1/files", form);
        using var text = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        return text.RootElement.Text("id")!;
    }

    private static async Task CreateBatchAsync(HttpClient http, string file)
    {
        var answer = await http.PostAsync("/v1/batches",
            new { input_file_id = file, endpoint = "/v1/chat/completions", completion_window = "24h" });
        answer.Status.ShouldBe(200, answer.Text);
    }

    private static string Claim(double seconds) =>
        $$"""{"queues":["q"],"worker":"w","wait_seconds":{{seconds.ToString(CultureInfo.InvariantCulture)}}}""";

    private static async Task<JsonElement> QuotaAsync(HttpClient http) => (await http.ReadAsync("/quota")).Json;

    private static async Task ClaimAsync(HttpClient http, CancellationToken cancellationToken)
    {
        using var body = new StringContent(Claim(30), Encoding.UTF8, "application/json");
        using var answer = await http.PostAsync(new Uri("/workers/claim", UriKind.Relative), body, cancellationToken);
    }
}
