using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Two schedulers that may send to loopback addresses.</summary>
public sealed class CallbackStack() : Stack(DatabaseProvider.Postgres, "api", "scheduler", "scheduler", "consumers")
{
    protected override Dictionary<string, string?> Settings => new(base.Settings) { ["TaskQueue:Webhooks:AllowPrivateNetworks"] = "true" };
}

/// <summary>Callbacks while several schedulers send them.</summary>
public sealed class CallbackSchedulersTests(CallbackStack stack) : IClassFixture<CallbackStack>
{
    [Fact]
    public async Task Every_callback_is_delivered_once()
    {
        const int count = 300;
        TestReceiver[] receivers = [await TestReceiver.StartAsync(), await TestReceiver.StartAsync(), await TestReceiver.StartAsync()];
        var ids = await stack.Http.SubmitManyAsync(Enumerable.Range(0, count).Select(n =>
            new { action = "uppercase", data = new { text = $"{n}" }, callback_url = $"{receivers[n % 3].Url}/{n}" }));

        foreach (var id in ids)
            (await stack.Http.CallbackAsync(id, c => c.Text("state") == "delivered")).Whole("attempts").ShouldBe(1);

        var received = receivers.SelectMany(r => r.All).ToList();
        received.Select(r => r.Path).Order().ShouldBe(Enumerable.Range(0, count).Select(n => $"/{n}").Order());
        foreach (var got in received)
            got.Body.ShouldBe($$"""{"output":"{{got.Path[1..]}}"}""");
        received.ShouldAllBe(r => !r.Headers.ContainsKey("webhook-signature")); // there are no keys here
        foreach (var receiver in receivers)
            await receiver.DisposeAsync();
    }
}

/// <summary>Callbacks of schedulers that stop.</summary>
public sealed class CallbackCrashTests
{
    private const string Queue = "owing";
    private static readonly Dictionary<string, string> Settings = new()
    {
        ["TaskQueue:Webhooks:AllowPrivateNetworks"] = "true",
        ["TaskQueue:Webhooks:TimeoutSeconds"] = "5",
    };

    [Fact]
    public async Task A_callback_survives_a_kill_before_and_during_its_delivery()
    {
        await using var receiver = await TestReceiver.StartAsync();
        await using var cluster = await CrashCluster.StartAsync(Settings, DatabaseProvider.Postgres, "api", "scheduler");
        var http = cluster.Process("api").Http;
        await cluster.KillAsync("scheduler");
        var id = await CompletedAsync(http, $"{receiver.Url}/x");
        (await http.CallbackAsync(id))!.Value.Text("state").ShouldBe("waiting");
        receiver.Answer = HangFirst;
        await cluster.StartAsync("scheduler");
        await Eventually.UntilAsync(() => Task.FromResult(receiver.All.Count == 1), TimeSpan.FromSeconds(20), "it is sent");

        await cluster.RestartAsync("scheduler");

        var callback = await http.CallbackAsync(id, c => c.Text("state") == "delivered");
        callback.Whole("attempts").ShouldBe(2);
        callback.GetProperty("log").EnumerateArray().ShouldHaveSingleItem().Whole("status").ShouldBe(200);
        receiver.All.Select(r => r.Body).ShouldBe(["""{"done":1}""", """{"done":1}"""]);
    }

    [Fact]
    public async Task A_try_interrupted_by_a_stop_is_repeated_at_once()
    {
        const string all = "api,scheduler,consumers";
        await using var receiver = await TestReceiver.StartAsync();
        receiver.Answer = HangFirst;
        await using var cluster = await CrashCluster.StartAsync(new Dictionary<string, string>(Settings)
        {
            ["TaskQueue:Webhooks:TimeoutSeconds"] = "300",
        }, DatabaseProvider.Sqlite, all);
        var id = await CompletedAsync(cluster.Process(all).Http, $"{receiver.Url}/x");
        await Eventually.UntilAsync(() => Task.FromResult(receiver.All.Count == 1), TimeSpan.FromSeconds(20), "it is sent");

        await cluster.StopAndStartAsync(all, TimeSpan.FromSeconds(15));

        await cluster.Process(all).Http.CallbackAsync(id, c => c.Text("state") == "delivered");
        receiver.All.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Delivered_callbacks_are_kept_as_long_as_finished_tasks()
    {
        await using var receiver = await TestReceiver.StartAsync();
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: new Dictionary<string, string?>
        {
            ["TaskQueue:Webhooks:AllowPrivateNetworks"] = "true",
            ["TaskQueue:KeepFinished"] = "00:00:02",
            ["TaskQueue:Maintenance:PollSeconds"] = "1",
            ["TaskQueue:Maintenance:CallbackRetentionInterval"] = "00:00:01",
        });
        var id = await CompletedAsync(host.Http, $"{receiver.Url}/x");
        await host.Http.CallbackAsync(id, c => c.Text("state") == "delivered");

        await Eventually.UntilAsync(
            async () => (await host.Http.ReadAsync($"/tasks/{id}/callbacks")).Status == 404,
            TimeSpan.FromSeconds(30), "task and callback are gone");

        await using var db = database.CreateContext();
        await Eventually.UntilAsync(async () => !await db.Callbacks.AnyAsync(), TimeSpan.FromSeconds(30), "its row is removed");
    }

    private static Task HangFirst(Microsoft.AspNetCore.Http.HttpContext context, int number) =>
        number == 1 ? Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default)
            : Task.CompletedTask;

    private static async Task<Guid> CompletedAsync(HttpClient http, string url)
    {
        var id = await http.SubmitAsync(new { action = "x", queue = Queue, callback_url = url });
        (await http.ClaimAsync(Queue)).ShouldHaveSingleItem();
        (await http.TellAsync("report", new { id, attempt = 1, outcome = "completed", result = new { done = 1 } })).ShouldBe(["ok"]);
        return id;
    }
}
