using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using TaskQueue.WebConsole.Overview;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The overview of the console, once and live.</summary>
public sealed class ConsoleOverviewTests(ConsoleServer server) : IClassFixture<ConsoleServer>
{
    private static readonly string[] ReadScope = ["read"];

    [Fact]
    public async Task It_counts_the_tasks_of_every_queue()
    {
        using var boss = await server.SignedInAsync(KeyServer.Boss);
        (await boss.SendAsync("PUT", "/queues/over-a", new { paused = true })).Status.ShouldBe(201);
        var three = Enumerable.Range(0, 3).Select(_ => new { action = "a", queue = "over-a" });
        (await boss.SendAsync("POST", "/tasks/bulk", new { tasks = three })).Status.ShouldBe(202);
        (await boss.SendAsync("POST", "/tasks", new { action = "a", queue = "over-b" })).Status.ShouldBe(202);

        JsonElement seen = default;
        await Eventually.UntilAsync(async () =>
        {
            var overview = (await boss.SendAsync("GET", "/console/overview")).Json;
            seen = overview;
            return Of(overview, "over-a")?.GetProperty("waiting").GetInt32() == 3 && Of(overview, "over-b") is not null;
        }, TestHttp.Patience, "the overview shows both queues");

        var queue = Of(seen, "over-a")!.Value;
        queue.GetProperty("paused").GetBoolean().ShouldBeTrue();
        queue.GetProperty("declared").GetBoolean().ShouldBeTrue();
        queue.GetProperty("running").GetInt32().ShouldBe(0);
        queue.GetProperty("oldest_age_seconds").GetDouble().ShouldBeGreaterThanOrEqualTo(0);
        queue.GetProperty("spark").EnumerateArray().Last().GetInt32().ShouldBe(3);
        Of(seen, "over-b")!.Value.GetProperty("declared").GetBoolean().ShouldBeFalse();
        (seen.GetProperty("health").Text("state"), seen.GetProperty("health").Text("sentence")).ShouldBe(("ok", "Everything works."));
        seen.GetProperty("dependencies").EnumerateArray().Select(d => d.Text("name")).ShouldContain("database");
        seen.GetProperty("maintenance").GetArrayLength().ShouldBeGreaterThan(0);
        seen.GetProperty("outbox").GetProperty("depth").GetInt64().ShouldBeGreaterThanOrEqualTo(0);
    }

    [Fact]
    public async Task A_tenant_sees_its_own_queues_only()
    {
        (await KeyServer.CallAsync(server.Host.Http, KeyServer.Boss, "PUT", "/queues/not-hers", new { })).Status.ShouldBe(201);
        (await KeyServer.CallAsync(server.Host.Http, KeyServer.AnnAdmin, "PUT", "/queues/hers", new { })).Status.ShouldBe(201);
        (await KeyServer.CallAsync(server.Host.Http, KeyServer.Boss, "POST", "/tasks", new { action = "a", queue = "undeclared" }))
            .Status.ShouldBe(202);
        using var ann = await server.SignedInAsync(KeyServer.AnnAdmin);

        JsonElement overview = default;
        await Eventually.UntilAsync(async () =>
            Of(overview = (await ann.SendAsync("GET", "/console/overview")).Json, "hers") is not null,
            TestHttp.Patience, "ann sees her queue");

        Of(overview, "not-hers").ShouldBeNull();
        using var boss = await server.SignedInAsync(KeyServer.Boss);
        await Eventually.UntilAsync(async () => Of((await boss.SendAsync("GET", "/console/overview")).Json, "undeclared") is not null,
            TestHttp.Patience, "the operator sees the undeclared queue");
        using var reader = await server.SignedInAsync(KeyServer.Reader);
        (await reader.SendAsync("GET", "/console/overview")).Json.GetProperty("queues").GetArrayLength().ShouldBe(0);
        overview.GetProperty("outbox").ValueKind.ShouldBe(JsonValueKind.Null);
        overview.GetProperty("dependencies").GetArrayLength().ShouldBe(0);
        overview.GetProperty("maintenance").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task All_viewers_share_one_read_a_second()
    {
        const int Viewers = 12, Frames = 4;
        var watch = Stopwatch.StartNew();
        var times = new ConcurrentBag<string>();
        await Task.WhenAll(Enumerable.Range(0, Viewers).Select(async _ =>
        {
            using var browser = await server.SignedInAsync(KeyServer.Boss);
            await foreach (var overview in FramesAsync(browser).Take(Frames))
                times.Add(overview.Text("at")!);
        }));

        times.Count.ShouldBe(Viewers * Frames);
        times.Distinct().Count().ShouldBeLessThanOrEqualTo((int)watch.Elapsed.TotalSeconds + 2);
    }

    [Fact]
    public async Task A_stream_ends_with_its_session_and_with_the_process()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await ConsoleServer.StartAsync(database, KeyServer.Settings());
        var issued = (await KeyServer.CallAsync(host.Http, KeyServer.Boss, "POST", "/keys",
            new { name = "leaver", tenant = "leaver", scopes = ReadScope })).Json;
        using var leaver = new ConsoleBrowser(host.Http.BaseAddress!);
        await leaver.SignInAsync(issued.Text("key")!);
        await using var hers = FramesAsync(leaver).GetAsyncEnumerator();
        (await hers.MoveNextAsync()).ShouldBeTrue();
        await KeyServer.CallAsync(host.Http, KeyServer.Boss, "DELETE", $"/keys/{issued.Text("id")}");
        await EndsAsync(hers);

        using var boss = new ConsoleBrowser(host.Http.BaseAddress!);
        await boss.SignInAsync(KeyServer.Boss);
        await using var frames = FramesAsync(boss).GetAsyncEnumerator();
        (await frames.MoveNextAsync()).ShouldBeTrue();
        var stop = host.StopAsync();
        await EndsAsync(frames);
        await stop;
    }

    [Fact]
    public async Task A_stream_counts_against_the_quota()
    {
        var host = await server.StartAsync(new(KeyServer.Settings()) { ["TaskQueue:Quotas:Default:Streams"] = "1" });
        using var reader = new ConsoleBrowser(host.Http.BaseAddress!);
        await reader.SignInAsync(KeyServer.AnnAdmin);
        await using var frames = FramesAsync(reader).GetAsyncEnumerator();
        (await frames.MoveNextAsync()).ShouldBeTrue();
        (await reader.SendAsync("GET", "/console/events")).Status.ShouldBe(429);
    }

    [Fact]
    public async Task The_streams_of_a_tenant_are_bounded()
    {
        using var shop = await server.SignedInAsync(KeyServer.ShopAdmin);
        var open = new List<HttpResponseMessage>();
        try
        {
            for (var i = 0; i < OverviewStreams.MaxOfTenant; i++)
            {
                open.Add(await shop.OpenAsync("GET", "/console/events"));
                ((int)open[^1].StatusCode).ShouldBe(200);
            }

            var refused = await shop.SendAsync("GET", "/console/events");
            (refused.Status, refused.Json.Text("code")).ShouldBe((429, "too_many_streams"));
        }
        finally
        {
            open.ForEach(o => o.Dispose());
        }
    }

    private static async Task EndsAsync(IAsyncEnumerator<JsonElement> frames)
    {
        var end = Task.Run(async () =>
        {
            while (await frames.MoveNextAsync())
            {
                // Frames may be under way.
            }
        });
        await end.WaitAsync(TestHttp.Patience);
    }

    private static JsonElement? Of(JsonElement overview, string queue) =>
        overview.ValueKind == JsonValueKind.Undefined ? null
            : overview.GetProperty("queues").EnumerateArray().Where(q => q.Text("queue") == queue).Select(q => (JsonElement?)q)
                .FirstOrDefault();

    private static async IAsyncEnumerable<JsonElement> FramesAsync(ConsoleBrowser browser)
    {
        using var answer = await browser.OpenAsync("GET", "/console/events");
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync());
        while (await lines.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("data: ", StringComparison.Ordinal))
                yield return JsonSerializer.Deserialize<JsonElement>(line[6..]);
        }
    }
}
