using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Callbacks of completed tasks, and what receivers may do to them.</summary>
public abstract class CallbackTests(BellaServer server)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    public sealed class OnSqlite(BellaOnSqlite server) : CallbackTests(server), IClassFixture<BellaOnSqlite>;

    public sealed class OnPostgresAndRabbitMq(BellaOnPostgres server) : CallbackTests(server), IClassFixture<BellaOnPostgres>;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Check21_callback_delivery(int level)
    {
        await using var receiver = await TestReceiver.StartAsync();
        var name = await server.RegisterAsync();
        var id = await server.PutAsync(name, level, $""","callback_url":"{receiver.Url}/x" """);
        await server.TakeOneAsync($"{name}:{level}", ""","strategy":"fifo" """);
        const string Result = """{"status_code":500,"body":{"e":"x", "n":null}}""";

        (await server.CompleteAsync(id, Result)).Ok();
        (await server.CompleteAsync(id, """{"body":"again"}""")).Ok(); // check 9: exactly one

        var callback = await SettledAsync(id);
        callback.GetProperty("state").GetString().ShouldBe("delivered");
        var got = receiver.All.ShouldHaveSingleItem();
        (got.Path, got.Body, got.ContentType).ShouldBe(("/x", Result, "application/json; charset=utf-8"));
        got.Headers.ContainsKey("Authorization").ShouldBeFalse();
        got.Headers.ContainsKey("webhook-signature").ShouldBeTrue();
    }

    [Fact]
    public async Task Check21_a_refused_connection_is_tried_again()
    {
        var port = FreePort();
        var id = await CompletedAsync($"http://127.0.0.1:{port}/late");
        await Eventually.UntilAsync(async () => (await CallbackAsync(id)).GetProperty("log").GetArrayLength() > 0, Deadline, "the first try was refused");

        await using var receiver = await TestReceiver.StartAsync(port);

        var log = (await SettledAsync(id)).GetProperty("log");
        log.GetArrayLength().ShouldBe(2);
        log[0].GetProperty("status").ValueKind.ShouldBe(JsonValueKind.Null);
        log[1].GetProperty("status").GetInt32().ShouldBe(200);
        (log[1].GetProperty("at").GetDateTime() - log[0].GetProperty("at").GetDateTime()).ShouldBeGreaterThanOrEqualTo(TimeSpan.FromSeconds(1.9));
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
    public async Task A_receiver_that_hangs_does_not_hold_up_the_others()
    {
        await using var hanging = await TestReceiver.StartAsync();
        await using var quick = await TestReceiver.StartAsync();
        hanging.Answer = (context, _) => Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        for (var n = 0; n < 10; n++)
            await CompletedAsync($"{hanging.Url}/{n}");

        var id = await CompletedAsync($"{quick.Url}/x");

        (await SettledAsync(id)).GetProperty("state").GetString().ShouldBe("delivered");
        hanging.All.Count.ShouldBeLessThanOrEqualTo(4 * 2); // at two servers
    }

    [Fact]
    public async Task Check10_nobody_is_called_back_for_a_cancelled_task()
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
    public async Task Check17_the_end_of_a_task_that_was_given_up_is_called_back()
    {
        await using var receiver = await TestReceiver.StartAsync();
        var name = await server.RegisterAsync();
        var id = await server.PutAsync(name, 1, $""","callback_url":"{receiver.Url}/x" """);
        await server.TakeOneAsync($"{name}:1", ""","process_timeout":1""");

        await SettledAsync(id);

        receiver.All.ShouldHaveSingleItem().Body.ShouldBe($$"""{"status_code":"408","request_id":"{{id}}"}""");
    }

    [Fact]
    public async Task Native_tasks_have_callbacks_too()
    {
        await using var receiver = await TestReceiver.StartAsync();
        var posted = await server.Http.PostAsync(new Uri("/tasks", UriKind.Relative), new StringContent($$$"""{"action":"uppercase","data":{"text":"a"},"callback_url":"{{{receiver.Url}}}/native"}"""));
        posted.StatusCode.ShouldBe(HttpStatusCode.Accepted);

        await Eventually.UntilAsync(() => Task.FromResult(!receiver.All.IsEmpty), Deadline, "the callback came");

        receiver.All.ShouldHaveSingleItem().Body.ShouldBe("""{"output":"A"}""");
        using var refused = await server.Http.PostAsync(new Uri("/tasks", UriKind.Relative), new StringContent("""{"action":"a","callback_url":"ftp://x"}"""));
        refused.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
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

    private Task<JsonElement> SettledAsync(string id) =>
        Eventually.UntilAsync(
            async () => await CallbackAsync(id) is { ValueKind: not JsonValueKind.Undefined } c && c.GetProperty("state").GetString() != "waiting" ? (object)c : null,
            Deadline, "the callback is settled").ContinueWith(t => (JsonElement)t.Result, TaskScheduler.Default);

    private async Task<JsonElement> CallbackAsync(string id)
    {
        using var answer = await server.Http.GetAsync(new Uri($"/tasks/{BellaTaskId.ParseAny(id)}/callbacks", UriKind.Relative));
        return answer.IsSuccessStatusCode ? JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty("callbacks")[0] : default;
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}

/// <summary>What a server with the default settings refuses.</summary>
public sealed class CallbackGuardTests(SqliteStack stack) : IClassFixture<SqliteStack>
{
    [Theory]
    [InlineData("http://127.0.0.1/x")]
    [InlineData("http://localhost:9/x")]
    [InlineData("http://[::1]/x")]
    [InlineData("http://2130706433/x")]
    [InlineData("http://169.254.169.254/latest/meta-data")]
    [InlineData("http://user:secret@example.com/")]
    public async Task A_private_address_is_refused_when_it_is_submitted(string url)
    {
        using var refused = await stack.Http.PostAsync(new Uri("/tasks", UriKind.Relative), new StringContent($$"""{"action":"a","callback_url":"{{url}}"}"""));

        refused.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await refused.Content.ReadAsStringAsync()).ShouldContain("callback_url");
    }

    [Fact]
    public async Task A_name_of_a_private_address_is_refused_when_it_is_sent()
    {
        await using var receiver = await TestReceiver.StartAsync();
        var port = new Uri(receiver.Url).Port;
        var posted = await stack.Http.PostAsync(new Uri("/tasks", UriKind.Relative), new StringContent($$"""{"action":"a","callback_url":"http://{{Dns.GetHostName()}}:{{port}}/x"}"""));
        var id = JsonDocument.Parse(await posted.Content.ReadAsStringAsync()).RootElement.GetProperty("id").GetString();

        var log = await Eventually.UntilAsync(async () =>
        {
            using var answer = await stack.Http.GetAsync(new Uri($"/tasks/{id}/callbacks", UriKind.Relative));
            var text = await answer.Content.ReadAsStringAsync();
            return text.Contains("\"failed\"", StringComparison.Ordinal) ? text : null;
        }, TimeSpan.FromSeconds(30), "the callback has failed");

        log.ShouldContain("not public");
        receiver.All.ShouldBeEmpty();
    }
}
