using System.Text.Json;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>GET /scaling/{queue} over HTTP, as KEDA's metrics-api scaler calls it.</summary>
public abstract class ScalingApiTests(ScalingStack stack)
{
    private readonly string _queue = $"s{Guid.NewGuid():N}"[..12];

    private HttpClient Http => stack.Http;

    [Fact]
    public async Task An_unknown_queue_needs_zero_slots()
    {
        var reply = await Http.ReadAsync($"/scaling/{_queue}");
        reply.Status.ShouldBe(200, reply.Text);
        reply.ContentType.ShouldBe("application/json");
        reply.Json.Names().ShouldBe(
        [
            "queue", "tier", "slots", "due", "later", "blocked", "running", "oldest_age_seconds", "finished_per_second",
            "arrived_per_second", "run_seconds", "paused", "within_seconds",
        ]);
        reply.Json.GetProperty("slots").ValueKind.ShouldBe(JsonValueKind.Number);
        (reply.Json.Text("queue"), reply.Json.Whole("slots"), reply.Json.Whole("within_seconds")).ShouldBe((_queue, 0, 30));
    }

    [Fact]
    public async Task Waiting_and_running_tasks_need_slots_until_they_finish_or_the_queue_is_paused()
    {
        (await Http.PutAsync($"/queues/{_queue}", new { })).Status.ShouldBe(201);
        await Http.SubmitManyAsync([.. Enumerable.Range(0, 4)
            .Select(_ => new { queue = _queue, action = "a" }), new { queue = $"{_queue}:3", action = "a" }]);
        await SaysAsync("", 5);
        (await AskAsync("?tier=3&within_seconds=60.5")).GetProperty("within_seconds").GetDouble().ShouldBe(60.5);
        await SaysAsync("?tier=3", 1);
        await SaysAsync("?tier=4", 0);

        var task = (await stack.OtherHttp.ClaimAsync(_queue)).Single();
        (await Http.PostAsync($"/queues/{_queue}/pause", "")).Status.ShouldBe(200);
        await SaysAsync("", 1);
        var paused = await AskAsync();
        (paused.GetProperty("paused").GetBoolean(), paused.Whole("due"), paused.Whole("running")).ShouldBe((true, 4, 1));
        await Http.TellAsync("report", new { id = task.Id(), attempt = 1, outcome = "completed" });
        await SaysAsync("", 0);
        await Eventually.UntilAsync(
            async () => (await AskAsync()).GetProperty("finished_per_second") is { ValueKind: JsonValueKind.Number } rate
                && rate.GetDouble() > 0,
            TestHttp.Patience, "the rate is known");
    }

    [Theory]
    [InlineData("?tier=-1", "tier")]
    [InlineData("?tier=one", "tier")]
    [InlineData("?tier=1.5", "tier")]
    [InlineData("?tier=65536", "tier")]
    [InlineData("?tier=", "tier")]
    [InlineData("?tier=1&tier=2", "tier")]
    [InlineData("?within_seconds=0", "within_seconds")]
    [InlineData("?within_seconds=86401", "within_seconds")]
    [InlineData("?within_seconds=soon", "within_seconds")]
    [InlineData("?within_seconds=NaN", "within_seconds")]
    public async Task An_invalid_parameter_is_named(string query, string parameter) =>
        Problems.Expect(await Http.ReadAsync($"/scaling/{_queue}{query}"), 400, "invalid_request")
            .Text("detail")!.ShouldStartWith($"{parameter} must be ");

    [Fact]
    public async Task An_invalid_queue_name_is_refused() =>
        Problems.Expect(await Http.ReadAsync("/scaling/mail%20box"), 400, "invalid_request")
            .Text("detail")!.ShouldStartWith("queue must be ");

    private Task SaysAsync(string query, int slots) =>
        Eventually.UntilAsync(
            async () => (await AskAsync(query)).Whole("slots") == slots, TestHttp.Patience, $"{_queue}{query} needs {slots} slots");

    private async Task<JsonElement> AskAsync(string query = "")
    {
        var reply = await Http.ReadAsync($"/scaling/{_queue}{query}");
        return reply.Status == 200 ? reply.Json : throw new InvalidOperationException($"{reply.Status}: {reply.Text}");
    }
}

public sealed class ScalingApiOnSqliteTests(ScalingOnSqlite stack) : ScalingApiTests(stack), IClassFixture<ScalingOnSqlite>;

public sealed class ScalingApiOnServersTests(ScalingOnServers stack) : ScalingApiTests(stack), IClassFixture<ScalingOnServers>;

/// <summary>Nearly every request reads the database again.</summary>
public abstract class ScalingStack(DatabaseProvider provider, params string?[] roles) : Stack(provider, roles)
{
    protected override Dictionary<string, string?> Settings => new(base.Settings) { ["TaskQueue:Telemetry:RefreshSeconds"] = "0.1" };
}

public sealed class ScalingOnSqlite() : ScalingStack(DatabaseProvider.Sqlite, null as string);

public sealed class ScalingOnServers() : ScalingStack(DatabaseProvider.Postgres, "api", "api", "scheduler", "consumers");

/// <summary>Who may call it.</summary>
public sealed class ScalingAccessTests(AuthServer server) : IClassFixture<AuthServer>
{
    [Theory]
    [InlineData("/scaling/shop-mail", "key-shop", 200)]
    [InlineData("/scaling/mail", "key-shop", 403)]
    [InlineData("/scaling/mail", "key-read", 200)]
    [InlineData("/scaling/mail", "key-work", 403)]
    public async Task A_caller_needs_the_scope_read_and_sees_its_own_queues_only(string path, string key, int status)
    {
        using var answer = await server.SendAsync("GET", path, $"Bearer {key}");
        ((int)answer.StatusCode).ShouldBe(status, await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task With_public_metrics_the_scaling_route_is_public_too()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString,
            settings: new Dictionary<string, string?>(AuthServer.Settings())
        {
            ["TaskQueue:Telemetry:PublicMetrics"] = "true",
        });
        (await host.Http.ReadAsync("/scaling/mail")).Status.ShouldBe(200);
        (await host.Http.ReadAsync("/queues")).Status.ShouldBe(401);
    }
}
