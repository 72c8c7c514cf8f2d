using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

public abstract partial class UpstreamTests
{
    [Fact]
    public async Task A_streamed_answer_reaches_the_caller_event_by_event()
    {
        var more = new TaskCompletionSource();
        stack["stream"].Next(async context =>
        {
            context.Response.ContentType = "text/event-stream; charset=utf-8";
            await WriteAsync(context, ": hello\n\ndata: {\"n\": 1}\n\nevent: delta\ndata: {\"n\":2,\ndata: \"m\":3}\n\n");
            await more.Task;
            await WriteAsync(context, "data: [DONE]\n\n");
        });

        using var caller = await CallAsync();

        (await caller.Progress.ReadAsync()).ShouldBe(new TaskProgress("0", "message", """{"n": 1}"""));
        (await caller.Progress.ReadAsync()).ShouldBe(new TaskProgress("1", "delta", "{\"n\":2,\n\"m\":3}"));
        caller.Ended.IsCompleted.ShouldBeFalse();
        more.SetResult();
        (await caller.Progress.ReadAsync()).ShouldBe(new TaskProgress("2", "message", "\"[DONE]\""));
        await EndsWithAsync(caller, 200, "{}");
    }

    [Theory]
    [InlineData(200, """{"a":1}""", """{"a":1}""")]
    [InlineData(400, "no stream for you", "\"no stream for you\"")]
    public async Task A_response_that_is_not_a_stream_is_one_event(int status, string body, string json)
    {
        stack["stream"].Next(status, body);

        using var caller = await CallAsync();

        (await caller.Progress.ReadAsync()).ShouldBe(new TaskProgress("0", "message", json) { IsRefusal = status == 400 });
        await EndsWithAsync(caller, status, json);
    }

    [Fact]
    public async Task A_stream_is_retried_only_before_its_first_event()
    {
        var read = new TaskCompletionSource();
        stack["stream"].Next(503, "later", ("Retry-After", "0"));
        stack["stream"].Next(async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await WriteAsync(context, "data: 1\n\n");
            await read.Task;
            context.Abort();
        });
        var before = stack["stream"].Requests.Count;

        using var caller = await CallAsync();

        (await caller.Progress.ReadAsync()).ShouldBe(new TaskProgress("0", "message", "1"));
        read.SetResult();
        var error = await caller.Progress.ReadAsync();
        error.EventId.ShouldBe("1");
        JsonSerializer.Deserialize<JsonElement>(error.Data).GetProperty("error").Text("type").ShouldBe("upstream_error");
        await EndsWithAsync(caller, 502, error.Data);
        stack["stream"].Requests.Count.ShouldBe(before + 2);
    }

    private static async Task WriteAsync(HttpContext context, string text)
    {
        await context.Response.WriteAsync(text);
        await context.Response.Body.FlushAsync();
    }

    /// <summary>Calls like the API of a streaming caller.</summary>
    private async Task<WaitingCaller> CallAsync()
    {
        var services = stack.Host.Services;
        var id = TaskId.New(TimeProvider.System);
        var caller = services.GetRequiredService<CompletionRouter>().Open(id, wantsProgress: true)!;
        var ending = new CompletionActions
        {
            ReplyTo = services.GetRequiredService<ReplyAddress>().Name,
            LeaseExpiryResult = """{"status_code":"408","request_id":"TASK-1"}""",
        };
        await stack.SubmitAsync("stream", t => t with
        {
            Id = id, CompletionActions = ending, Headers = """{"response_mode":"streaming"}""", Payload = """{"stream":true}""",
        });
        caller.Accepted();
        return caller;
    }

    private static async Task EndsWithAsync(WaitingCaller caller, int status, string body)
    {
        var end = await caller.Ended.WaitAsync(UpstreamStack.Patience);
        end.State.ShouldBe(TaskStates.Completed);
        end.Result.ShouldBe($$"""{"status_code":{{status}},"request_id":"TASK-1","body":{{body}}}""");
        (await caller.Progress.WaitToReadAsync()).ShouldBeFalse();
    }
}
