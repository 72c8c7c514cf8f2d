using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Tasks without a worker: they are forwarded to HTTP servers.</summary>
public abstract partial class UpstreamTests(UpstreamStack stack)
{
    [Fact]
    public async Task The_upstreams_response_is_the_tasks_result()
    {
        const string data = """{"model":"m","messages":[{"role":"user","content":"Grüße  \u00e9"}]}""";

        var result = await stack.ResultAsync(await stack.PutAsync("plain", data));

        result.Names().ShouldBe(["status_code", "request_id", "body"]);
        result.Whole("status_code").ShouldBe(200);
        result.GetProperty("body").GetRawText().ShouldBe(TestUpstream.Completion);
        var request = stack["plain"].Requests.ShouldHaveSingleItem();
        request.Target.ShouldBe("POST /v1/plain");
        request.Body.ShouldBe(data);
        request.Header("Content-Type").ShouldBe("application/json");
        request.Header("Authorization").ShouldBe($"Bearer {UpstreamStack.ConfiguredKey}");
        request.Header("X-Request-Id").ShouldBe(result.Text("request_id"));
        request.Header("Idempotency-Key").ShouldBe(result.Text("request_id"));
        request.Header("traceparent").ShouldBeNull();
    }

    [Fact]
    public async Task An_upstreams_Retry_After_is_honoured()
    {
        stack["busy"].Next(429, """{"error":{"message":"slow down"}}""", ("Retry-After", "2"));
        var first = await stack.PutAsync("busy", """{"n":1}""");
        await Eventually.UntilAsync(
            () => Task.FromResult(!stack["busy"].Requests.IsEmpty), UpstreamStack.Patience, "the upstream was asked");
        var asked = TimeProvider.System.GetTimestamp();
        var second = await stack.PutAsync("busy", """{"n":2}""");

        (await stack.ResultAsync(first)).Whole("status_code").ShouldBe(200);
        TimeProvider.System.GetElapsedTime(asked).ShouldBeGreaterThan(TimeSpan.FromSeconds(1.9));
        (await stack.ResultAsync(second)).Whole("status_code").ShouldBe(200);
        stack["busy"].Requests.Select(r => r.Body).ShouldBe(["""{"n":1}""", """{"n":1}""", """{"n":2}"""]);
    }

    [Fact]
    public async Task An_error_of_the_server_is_retried_with_the_same_request()
    {
        stack["broken"].Next(500, "oops");

        var result = await stack.ResultAsync(await stack.PutAsync("broken"));

        result.Whole("status_code").ShouldBe(200);
        stack["broken"].Requests.Count.ShouldBe(2);
        stack["broken"].Requests.Select(r => r.Header("Idempotency-Key")).Distinct().ShouldHaveSingleItem();
    }

    [Theory]
    [InlineData(400, """{"error":{"message":"no such model"}}""", "application/json", """{"error":{"message":"no such model"}}""")]
    [InlineData(404, "Not here\n", "text/plain", "\"Not here\\n\"")]
    [InlineData(307, "", "text/plain", "{}")]
    public async Task Any_other_answer_is_final(int status, string body, string type, string json)
    {
        stack["final"].Next(context =>
        {
            context.Response.Headers.Location = "/v1/elsewhere";
            return TestUpstream.SayAsync(context, status, body, type);
        });
        var before = stack["final"].Requests.Count;

        var result = await stack.ResultAsync(await stack.PutAsync("final"));

        result.Whole("status_code").ShouldBe(status);
        result.GetProperty("body").GetRawText().ShouldBe(json);
        stack["final"].Requests.Count.ShouldBe(before + 1);
    }

    [Fact]
    public async Task The_last_answer_counts_where_retries_do_not_help()
    {
        stack["dead"].Next(500, "one");
        stack["dead"].Next(503, """{"two":2}""");

        var result = await stack.ResultAsync(await stack.PutAsync("dead"));

        result.Whole("status_code").ShouldBe(503);
        result.GetProperty("body").GetRawText().ShouldBe("""{"two":2}""");
        stack["dead"].Requests.Count.ShouldBe(2);
    }

    [Fact]
    public async Task An_upstream_that_was_down_is_used_again_once_it_is_back()
    {
        var bringBack = await stack.TakeDownAsync("down");
        var id = await stack.SubmitAsync("down", t => t);
        await stack.StateAsync(id, TaskStates.Running);
        await bringBack();

        var task = await stack.StateAsync(id, TaskStates.Completed);

        JsonSerializer.Deserialize<JsonElement>(task.Result!).Whole("status_code").ShouldBe(200);
        task.Attempt.ShouldBe(1);
    }

    [Fact]
    public async Task A_connection_that_always_breaks_is_a_bad_gateway()
    {
        stack["gone"].Usual = context =>
        {
            context.Abort();
            return Task.CompletedTask;
        };

        var result = await stack.ResultAsync(await stack.PutAsync("gone"));

        result.Whole("status_code").ShouldBe(502);
        result.GetProperty("body").GetProperty("error").Text("type").ShouldBe("upstream_error");
        stack["gone"].Requests.Count.ShouldBe(2);
    }

    [Theory]
    [InlineData(65_536 - 2, 200)]
    [InlineData(65_537 - 2, 502)]
    public async Task A_response_may_be_as_large_as_a_payload(int deadLetters, int status)
    {
        stack["large"].Next(context => TestUpstream.SayAsync(context, 200, $"\"{new string('x', deadLetters)}\""));
        var before = stack["large"].Requests.Count;

        (await stack.ResultAsync(await stack.PutAsync("large"))).Whole("status_code").ShouldBe(status);

        stack["large"].Requests.Count.ShouldBe(before + 1);
    }

    [Fact]
    public async Task A_hanging_upstream_is_a_gateway_timeout()
    {
        stack["hanging"].Usual = TestUpstream.HangAsync;

        var result = await stack.ResultAsync(await stack.PutAsync("hanging"));

        result.Whole("status_code").ShouldBe(504);
        result.GetProperty("body").GetProperty("error").Text("type").ShouldBe("upstream_error");
        stack["hanging"].Requests.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Concurrent_requests_never_exceed_the_upstreams_limit()
    {
        var limit = new TaskCompletionSource();
        stack["narrow"].Usual = async context =>
        {
            await limit.Task;
            await TestUpstream.SayAsync(context, 200, "{}");
        };
        var ids = new List<string>();
        for (var i = 0; i < 12; i++)
            ids.Add(await stack.PutAsync("narrow", tier: i % 2));
        await Eventually.UntilAsync(
            () => Task.FromResult(stack["narrow"].Requests.Count == 3), UpstreamStack.Patience, "three are under way");
        limit.SetResult();

        foreach (var id in ids)
            (await stack.ResultAsync(id)).Whole("status_code").ShouldBe(200);
        stack["narrow"].MostAtOnce.ShouldBe(3);
        stack["narrow"].Requests.Count.ShouldBe(12);
    }

    [Fact]
    public async Task The_request_of_a_cancelled_task_is_aborted()
    {
        stack["cancelled"].Next(TestUpstream.HangAsync);
        var id = await stack.SubmitAsync("cancelled", t => t);
        await Eventually.UntilAsync(
            () => Task.FromResult(!stack["cancelled"].Requests.IsEmpty), UpstreamStack.Patience, "the upstream was asked");

        await stack.Host.Services.GetRequiredService<TaskService>().CancelAsync(id, Access.All);
        var cancelled = TimeProvider.System.GetTimestamp();

        await Eventually.UntilAsync(
            () => Task.FromResult(stack["cancelled"].Broken == 1), UpstreamStack.Patience, "the request is broken off");
        TimeProvider.System.GetElapsedTime(cancelled).ShouldBeLessThan(TimeSpan.FromSeconds(9)); // a heartbeat may take 10
        (await stack.StateAsync(id, TaskStates.Cancelled)).Result.ShouldBeNull();
        stack["cancelled"].Requests.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Online_tasks_go_first()
    {
        var limit = new TaskCompletionSource();
        stack["levels"].Next(async context =>
        {
            await limit.Task;
            await TestUpstream.SayAsync(context, 200, "{}");
        });
        await stack.PutAsync("levels", """{"n":0}""");
        await Eventually.UntilAsync(
            () => Task.FromResult(!stack["levels"].Requests.IsEmpty), UpstreamStack.Patience, "the upstream is busy");
        var last = await stack.PutAsync("levels", """{"n":2}""", tier: 1);
        await stack.PutAsync("levels", """{"n":1}""", tier: 0);
        limit.SetResult();

        await stack.ResultAsync(last);
        stack["levels"].Requests.Select(r => r.Body).ShouldBe(["""{"n":0}""", """{"n":1}""", """{"n":2}"""]);
    }

    [Fact]
    public async Task Every_registered_queue_of_the_endpoint_is_served_except_those_of_other_upstreams()
    {
        var registered = await stack.Host.Http.PostAsync("/v1/queue/register", """{"queue":"a-model","endpoint":"/v1/other"}""");
        registered.Status.ShouldBe(200, registered.Text);
        (await stack.Host.Http.PostAsync("/v1/queue/register", """{"queue":"only-this","endpoint":"/v1/other"}""")).Status.ShouldBe(200);

        (await stack.ResultAsync(await stack.PutAsync("other", queue: "a-model"))).Whole("status_code").ShouldBe(200);
        (await stack.ResultAsync(await stack.PutAsync("named", queue: "only-this"))).Whole("status_code").ShouldBe(200);
        // It goes to the upstream that names the queue, which does not have the endpoint.
        (await stack.ResultAsync(await stack.PutAsync("other", queue: "only-this"))).Whole("status_code").ShouldBe(404);

        stack["other"].Requests.Count.ShouldBe(1);
        stack["named"].Requests.Select(r => r.Target).ShouldBe(["POST /v1/named"]);
        (await stack.Host.Http.ReadAsync("/v1/queue/v1-named/metadata")).Status.ShouldBe(404);
        (await stack.Host.Http.ReadAsync("/v1/queue/v1-other/metadata")).Json.Text("endpoint").ShouldBe("/v1/other");
    }

    [Fact]
    public async Task Each_of_many_tasks_is_requested_once()
    {
        var ids = await Task.WhenAll(Enumerable.Range(0, 300)
            .Select(i => stack.SubmitAsync("many", t => t with { Payload = i.ToString(CultureInfo.InvariantCulture) })));

        foreach (var id in ids)
            await stack.StateAsync(id, TaskStates.Completed);
        stack["many"].Requests.Select(r => int.Parse(r.Body, CultureInfo.InvariantCulture)).Order().ShouldBe(Enumerable.Range(0, 300));
    }
}

public sealed class UpstreamTestsOnSqlite(UpstreamsOnSqlite stack) : UpstreamTests(stack), IClassFixture<UpstreamsOnSqlite>;

public sealed class UpstreamTestsOnServers(UpstreamsOnServers stack) : UpstreamTests(stack), IClassFixture<UpstreamsOnServers>;
