using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Shouldly;
using TaskQueue.Engine.Ids;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Callbacks of completed tasks, and the behaviour of receivers.</summary>
public abstract class CallbackTests(BellaServer server)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    public sealed class OnSqlite(BellaOnSqlite server) : CallbackTests(server), IClassFixture<BellaOnSqlite>;

    public sealed class OnPostgresAndRabbitMq(BellaOnPostgres server) : CallbackTests(server), IClassFixture<BellaOnPostgres>;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Check21_callback_delivery(int tier)
    {
        await using var receiver = await TestReceiver.StartAsync();
        var name = await server.RegisterAsync();
        var id = await server.PutAsync(name, tier, $""","callback_url":"{receiver.Url}/x" """);
        await server.TakeOneAsync($"{name}:{tier}", ""","strategy":"fifo" """);
        const string Result = """{"status_code":500,"body":{"e":"x", "n":null}}""";

        (await server.CompleteAsync(id, Result)).Ok();
        (await server.CompleteAsync(id, """{"body":"again"}""")).Ok(); // check 9: exactly one

        var callback = await SettledAsync(id);
        callback.GetProperty("state").GetString().ShouldBe("delivered");
        var got = receiver.All.ShouldHaveSingleItem();
        (got.Path, got.Body, got.ContentType).ShouldBe(("/x", Result, "application/json; charset=utf-8"));
        got.Headers.ContainsKey("Authorization").ShouldBeFalse();
        got.Headers["webhook-id"].ShouldBe($"task.completed/ann/{id}");
        (got.Headers["taskqueue-event"], got.Headers["taskqueue-owner"], got.Headers["taskqueue-task"])
            .ShouldBe(("task.completed", "ann", id));
        var signed = $"{got.Headers["webhook-id"]}.{got.Headers["webhook-timestamp"]}.{Result}";
        var master = Convert.FromBase64String(BellaServer.Settings["TaskQueue:Webhooks:SigningKeys:0"]!["whsec_".Length..]);
        var key = HKDF.DeriveKey(HashAlgorithmName.SHA256, master, 32, [], "webhook:ann"u8.ToArray());
        got.Headers["webhook-signature"].ShouldBe($"v1,{Convert.ToBase64String(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(signed)))}");
        DateTimeOffset.FromUnixTimeSeconds(long.Parse(got.Headers["webhook-timestamp"]))
            .ShouldBe(TimeProvider.System.GetUtcNow(), TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task Check21_a_refused_connection_is_tried_again()
    {
        var port = FreePort();
        var id = await CompletedAsync($"http://127.0.0.1:{port}/late");
        await Eventually.UntilAsync(
            async () => await CallbackAsync(id) is { } c && c.GetProperty("log").GetArrayLength() > 0,
            Deadline, "the first try was refused");

        await using var receiver = await TestReceiver.StartAsync(port);

        var log = (await SettledAsync(id)).GetProperty("log");
        log.GetArrayLength().ShouldBe(2);
        log[0].GetProperty("status").ValueKind.ShouldBe(JsonValueKind.Null);
        log[1].GetProperty("status").GetInt32().ShouldBe(200);
        Pause(log).ShouldBeGreaterThanOrEqualTo(TimeSpan.FromSeconds(2));
        receiver.All.ShouldHaveSingleItem();
    }

    [Theory]
    [InlineData(404, 1, "failed")]
    [InlineData(302, 1, "failed")]
    [InlineData(503, 2, "delivered")]
    [InlineData(429, 2, "delivered")]
    public async Task Check21_which_answers_are_tried_again(int status, int tries, string state)
    {
        await using var receiver = await TestReceiver.StartAsync();
        receiver.Answer = (context, number) =>
        {
            context.Response.StatusCode = number == 1 ? status : 200;
            context.Response.Headers.Location = $"{receiver.Url}/elsewhere";
            context.Response.Headers.RetryAfter = "1";
            return Task.CompletedTask;
        };

        var callback = await SettledAsync(await CompletedAsync($"{receiver.Url}/x"));

        callback.GetProperty("state").GetString().ShouldBe(state);
        callback.GetProperty("log").GetArrayLength().ShouldBe(tries);
        receiver.All.Count.ShouldBe(tries);
        receiver.All.ShouldAllBe(r => r.Path == "/x");
    }

    [Fact]
    public async Task Check21_a_receivers_Retry_After_is_honoured()
    {
        await using var receiver = await TestReceiver.StartAsync();
        receiver.Answer = (context, number) =>
        {
            context.Response.StatusCode = number == 1 ? 429 : 204;
            context.Response.Headers.RetryAfter = "4";
            return Task.CompletedTask;
        };

        var callback = await SettledAsync(await CompletedAsync($"{receiver.Url}/x"));

        Pause(callback.GetProperty("log")).ShouldBeGreaterThanOrEqualTo(TimeSpan.FromSeconds(4));
        callback.GetProperty("state").GetString().ShouldBe("delivered");
        receiver.All.Select(r => r.Headers["webhook-id"]).Distinct().ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_receiver_that_hangs_does_not_delay_others()
    {
        await using var hanging = await TestReceiver.StartAsync();
        await using var quick = await TestReceiver.StartAsync();
        hanging.Answer = (context, _) => Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        for (var n = 0; n < 50; n++)
            await CompletedAsync($"{hanging.Url}/{n}");

        var id = await CompletedAsync($"{quick.Url}/x");

        (await SettledAsync(id)).GetProperty("state").GetString().ShouldBe("delivered");
        hanging.All.Count.ShouldBe(4);
    }

    [Fact]
    public async Task Check10_a_cancelled_task_sends_no_callback()
    {
        await using var receiver = await TestReceiver.StartAsync();
        var name = await server.RegisterAsync();
        var id = await server.PutAsync(name, 1, $""","callback_url":"{receiver.Url}/cancelled" """);
        await server.PostAsync($"{id}/cancel", "");
        (await server.CompleteAsync(id, "{}")).Ok();

        await SettledAsync(await CompletedAsync($"{receiver.Url}/other"));

        receiver.All.ShouldHaveSingleItem().Path.ShouldBe("/other");
    }

    [Fact]
    public async Task Failed_and_expired_tasks_send_no_callback()
    {
        await using var receiver = await TestReceiver.StartAsync();
        var name = server.NewName();
        var failed = await server.Http.SubmitAsync(
            new { action = "x", queue = name, max_attempts = 1, callback_url = $"{receiver.Url}/failed" });
        var task = (await server.Http.ClaimAsync(name)).ShouldHaveSingleItem();
        (await server.Http.TellAsync("report", new { id = task.Id(), attempt = 1, outcome = "failed", error = "no" })).ShouldBe(["ok"]);
        var expired = await server.Http.SubmitAsync(new
        {
            action = "x", queue = name, expires_at = TimeProvider.System.GetUtcNow().AddSeconds(1),
            callback_url = $"{receiver.Url}/expired",
        });
        await server.Http.TaskAsync(failed, "failed");
        await server.Http.TaskAsync(expired, "expired");

        await SettledAsync(await CompletedAsync($"{receiver.Url}/other"));

        receiver.All.ShouldHaveSingleItem().Path.ShouldBe("/other");
        foreach (var id in new[] { failed, expired })
            (await server.Http.ReadAsync($"/tasks/{id}/callbacks")).Json.GetProperty("callbacks").GetArrayLength().ShouldBe(0);
        (await server.Http.ReadAsync($"/tasks/{Guid.NewGuid()}/callbacks")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task Check17_a_task_out_of_retries_sends_a_callback()
    {
        await using var receiver = await TestReceiver.StartAsync();
        var name = await server.RegisterAsync();
        var id = await server.PutAsync(name, 1, $""","callback_url":"{receiver.Url}/x" """);
        await server.TakeOneAsync($"{name}:1", ""","process_timeout":1""");

        await SettledAsync(id);

        receiver.All.ShouldHaveSingleItem().Body.ShouldBe($$"""{"status_code":"408","request_id":"{{id}}"}""");
    }

    [Fact]
    public async Task Native_tasks_have_callbacks()
    {
        await using var receiver = await TestReceiver.StartAsync();
        var one = await server.Http.SubmitAsync(
            new { action = "uppercase", data = new { text = "a" }, callback_url = $"{receiver.Url}/one?secret=1" });
        var many = await server.Http.SubmitManyAsync(
            [new { action = "uppercase", data = new { text = "b" }, callback_url = $"{receiver.Url}/many" }]);

        await Eventually.UntilAsync(() => Task.FromResult(receiver.All.Count == 2), Deadline, "the callbacks came");

        receiver.All.OrderBy(r => r.Body).Select(r => (r.Path, r.Body))
            .ShouldBe([("/one", """{"output":"A"}"""), ("/many", """{"output":"B"}""")]);
        var callback = await SettledAsync(one);
        callback.Names().ShouldBe(["id", "url", "state", "attempts", "due_at", "created_at", "finished_at", "log"]);
        callback.GetProperty("url").GetString().ShouldBe($"{receiver.Url}/one?secret=1");
        callback.Whole("attempts").ShouldBe(1);
        callback.GetProperty("due_at").ValueKind.ShouldBe(JsonValueKind.Null);
        callback.GetProperty("finished_at").GetDateTime().ShouldBeGreaterThanOrEqualTo(callback.GetProperty("created_at").GetDateTime());
        var entry = callback.GetProperty("log").EnumerateArray().ShouldHaveSingleItem();
        entry.Names().ShouldBe(["at", "status", "error", "duration_ms"]);
        entry.GetProperty("duration_ms").GetInt64().ShouldBeInRange(0, 30_000);
        (await SettledAsync(many[0])).GetProperty("state").GetString().ShouldBe("delivered");
    }

    /// <summary>Puts a task, completes it, and returns its id.</summary>
    private async Task<string> CompletedAsync(string url)
    {
        var name = await server.RegisterAsync();
        var id = await server.PutAsync(name, 1, $""","callback_url":"{url}" """);
        await server.TakeOneAsync($"{name}:1");
        (await server.CompleteAsync(id, "{}")).Ok();
        return id;
    }

    private Task<JsonElement> SettledAsync(string id) => SettledAsync(NumberedTaskId.ParseAny(id)!.Value);

    private Task<JsonElement> SettledAsync(Guid id) => server.Http.CallbackAsync(id, c => c.Text("state") != "waiting");

    private async Task<JsonElement?> CallbackAsync(string id) => await server.Http.CallbackAsync(NumberedTaskId.ParseAny(id)!.Value);

    private static TimeSpan Pause(JsonElement log) => log[1].GetProperty("at").GetDateTime() - log[0].GetProperty("at").GetDateTime();

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
