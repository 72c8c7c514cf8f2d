using System.Net;
using System.Text;
using System.Text.Json;
using Shouldly;
using TaskQueue.Engine.Ids;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Waiting callers: blocking and streaming puts. Their workers use another server, if there is one.</summary>
public abstract partial class BellaApiTests
{
    [Fact]
    public async Task Check07_take_online()
    {
        var name = await server.RegisterAsync();
        var put = server.PutWaitingAsync(name, "blocking");

        var task = await server.TakeFirstAsync($"{name}:0", server.OtherHttp);

        Keys(task)
            .ShouldBe("ak callback_url completed_time data endpoint expire_time instance_id level queue response_mode running_time "
                + "start_time status task_id");
        task.GetProperty("level").GetInt32().ShouldBe(0);
        task.GetProperty("instance_id").GetString().ShouldNotBeNullOrEmpty();
        task.GetProperty("response_mode").GetString().ShouldBe("blocking");
        task.GetProperty("status").GetString().ShouldBe("waiting");
        task.GetProperty("running_time").GetInt64().ShouldBe(0);
        task.GetProperty("completed_time").GetInt64().ShouldBe(0);
        (task.GetProperty("expire_time").GetInt64() - task.GetProperty("start_time").GetInt64()).ShouldBeInRange(299_000, 301_000);
        await AtOtherAsync($"{Id(task)}/complete", "{}");
        (await put).Dispose();
    }

    [Fact]
    public async Task Check18_blocking()
    {
        var name = await server.RegisterAsync();
        var put = server.PutWaitingAsync(name, "blocking", ""","timeout":30""");
        var id = Id(await server.TakeFirstAsync($"{name}:0", server.OtherHttp));

        await AtOtherAsync($"{id}/complete", $$$"""{"status_code":201,"request_id":"{{{id}}}","body":{"ok":true, "n":null}}""");

        using var answer = await put;
        ((int)answer.StatusCode).ShouldBe(201);
        (await answer.Content.ReadAsStringAsync()).ShouldBe("""{"ok":true, "n":null}""");
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/json");
        (await StatusAsync(id)).ShouldBe("succeeded");
    }

    [Theory]
    [InlineData("""{}""", 200, "{}")]
    [InlineData("""{"status_code":"429","body":{"error":1}}""", 429, """{"error":1}""")]
    [InlineData("""{"body":"text"}""", 200, "\"text\"")]
    [InlineData("""{"status_code":204,"body":{}}""", 204, "")]
    [InlineData("""{"status_code":1000}""", 502, null)]
    public async Task Check18_the_response_is_the_workers_result(string result, int status, string? body)
    {
        var name = await server.RegisterAsync();
        var put = server.PutWaitingAsync(name, "blocking");
        await AtOtherAsync($"{Id(await server.TakeFirstAsync($"{name}:0", server.OtherHttp))}/complete", result);

        using var answer = await put;

        ((int)answer.StatusCode).ShouldBe(status);
        if (body is not null)
            (await answer.Content.ReadAsStringAsync()).ShouldBe(body);
    }

    [Fact]
    public async Task Check18_a_worker_may_answer_over_the_bus()
    {
        if (server.RabbitMq is null)
            return; // the in-process bus has no outside
        var name = await server.RegisterAsync();
        var put = server.PutWaitingAsync(name, "blocking", ""","timeout":30""");
        var task = await server.TakeFirstAsync($"{name}:0", server.OtherHttp);
        await using var bus = await BellaBus.ConnectAsync(server);

        await bus.PublishAsync(task, "task-completion-event", JsonSerializer.Serialize(
            $$$$"""{"taskId":"{{{{Id(task)}}}}","result":{"status_code":201,"request_id":"{{{{Id(task)}}}}","body":{"ok":true}}}"""));

        using var answer = await put;
        ((int)answer.StatusCode).ShouldBe(201);
        (await answer.Content.ReadAsStringAsync()).ShouldBe("""{"ok":true}""");
    }

    [Fact]
    public async Task Check18_timeout()
    {
        var name = await server.RegisterAsync();

        using var answer = await server.PutWaitingAsync(name, "blocking", ""","timeout":1""");

        answer.StatusCode.ShouldBe(HttpStatusCode.RequestTimeout);
        (await answer.Content.ReadAsByteArrayAsync()).ShouldBeEmpty();
        (await server.TakeAsync($"{name}:0")).GetRawText().ShouldBe("{}");
    }

    [Fact]
    public async Task Check18_a_caller_of_a_cancelled_task_gets_408_at_once_and_one_of_a_failed_task_500()
    {
        var name = await server.RegisterAsync();
        var cancelled = server.PutWaitingAsync(name, "blocking");
        await AtOtherAsync($"{Id(await server.TakeFirstAsync($"{name}:0", server.OtherHttp))}/cancel", "", 202);
        using (var answer = await cancelled.WaitAsync(Deadline))
            answer.StatusCode.ShouldBe(HttpStatusCode.RequestTimeout);

        var failed = server.PutWaitingAsync(name, "blocking");
        var id = NumberedTaskId.ParseAny(Id(await server.TakeFirstAsync($"{name}:0", server.OtherHttp)));
        using var report = await server.OtherHttp.PostAsync(new Uri("/workers/report", UriKind.Relative), new StringContent(
            $$"""{"tasks":[{"id":"{{id}}","attempt":1,"outcome":"failed","error":"out of paper","retryable":false}]}""",
            Encoding.UTF8, "application/json"));
        report.StatusCode.ShouldBe(HttpStatusCode.OK);
        ShouldBeFault(await BellaServer.ReadAsync(await failed.WaitAsync(Deadline)), 500, "out of paper");
    }

    [Theory]
    [InlineData("blocking")]
    [InlineData("streaming")]
    public async Task Check18_a_caller_that_leaves_cancels_its_task(string mode)
    {
        var name = await server.RegisterAsync();
        using var gone = new CancellationTokenSource();
        var put = server.PutWaitingAsync(name, mode, cancellationToken: gone.Token);
        var id = Id(await server.TakeFirstAsync($"{name}:0", server.OtherHttp));

        await gone.CancelAsync();
        if (mode == "streaming")
            (await put).Dispose();
        else
            await Should.ThrowAsync<OperationCanceledException>(() => put);

        await Eventually.UntilAsync(async () => await StatusAsync(id) == "cancelled", Deadline, "the task is cancelled");
    }

    [Fact]
    public async Task Check20_streaming()
    {
        var name = await server.RegisterAsync();
        var put = server.PutWaitingAsync(name, "streaming");
        var id = Id(await server.TakeFirstAsync($"{name}:0", server.OtherHttp));
        using var answer = await put; // the headers are there before the first event

        await AtOtherAsync($"{id}/progress", """{"eventId":"0","eventName":"message","eventData":{"x":1}}""");
        await AtOtherAsync($"{id}/progress", $$"""{"taskId":"{{id}}","eventId":1,"eventName":"message","eventData":"data: [DONE]"}""");
        await AtOtherAsync($"{id}/complete", """{"status_code":500}""");

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        answer.Content.Headers.ContentType!.ToString().ShouldStartWith("text/event-stream");
        (await answer.Content.ReadAsStringAsync()).ShouldBe("id:0\nevent:message\ndata:{\"x\":1}\n\nid:1\nevent:message\ndata:[DONE]\n\n");
    }

    [Fact]
    public async Task Check20_lines_and_missing_fields()
    {
        var name = await server.RegisterAsync();
        var put = server.PutWaitingAsync(name, "streaming");
        var id = Id(await server.TakeFirstAsync($"{name}:0", server.OtherHttp));

        await AtOtherAsync($"{id}/progress", """{"eventData":"one\ntwo\r\nthree"}""");
        await AtOtherAsync($"{id}/progress", """{"eventName":"a\nb","eventId":null}""");
        await AtOtherAsync($"{id}/complete", "{}");

        using var answer = await put;
        (await answer.Content.ReadAsStringAsync()).ShouldBe("data:one\ndata:two\ndata:three\n\nevent:a b\ndata:null\n\n");
    }

    [Fact]
    public async Task Check20_over_the_bus()
    {
        if (server.RabbitMq is null)
            return; // the in-process bus has no outside
        var name = await server.RegisterAsync();
        var put = server.PutWaitingAsync(name, "streaming");
        var task = await server.TakeFirstAsync($"{name}:0", server.OtherHttp);
        await using var bus = await BellaBus.ConnectAsync(server);

        for (var n = 0; n < 500; n++)
            await bus.PublishAsync(task, "task-progress-event",
                $$$"""{"taskId":"{{{Id(task)}}}","eventId":"{{{n}}}","eventName":"message","eventData":{"n":{{{n}}}}}""");
        await bus.PublishAsync(task, "task-progress-event", "\"no JSON\"");
        await bus.PublishAsync(task, "unheard-of", $$"""{"taskId":"{{Id(task)}}"}""");
        await bus.PublishAsync(task, "task-completion-event", $$$"""{"taskId":"{{{Id(task)}}}","result":{}}""");

        using var answer = await put;
        var events = await answer.Content.ReadAsStringAsync();
        events.ShouldBe(string.Concat(Enumerable.Range(0, 500).Select(n => $"id:{n}\nevent:message\ndata:{{\"n\":{n}}}\n\n")));
    }

    [Fact]
    public async Task Check20_a_timed_out_stream_ends_and_its_task_is_cancelled()
    {
        var name = await server.RegisterAsync();
        var put = server.PutWaitingAsync(name, "streaming", ""","timeout":7""");
        var id = Id(await server.TakeFirstAsync($"{name}:0", server.OtherHttp));
        using var answer = await put;

        await Should.ThrowAsync<HttpRequestException>(() => answer.Content.ReadAsStringAsync());

        // It expires at the same moment: the first one wins.
        await Eventually.UntilAsync(
            async () =>
                await server.TimelineAsync(id) is var task
                    && (task.Contains("\"status\":\"cancelled\"", StringComparison.Ordinal)
                        || task.Contains("\"status\":\"expired\"", StringComparison.Ordinal)),
            Deadline, "the task has ended");
    }

    [Fact]
    public async Task Check20_progress_of_a_task_without_a_waiting_caller_is_404()
    {
        var name = await server.RegisterAsync();
        var id = await server.PutAsync(name, 0);

        ShouldBeError(await server.PostAsync($"{id}/progress", """{"eventData":1}"""), 404);
        ShouldBeError(await server.PostAsync("nobody/progress", """{"eventData":1}"""), 404);
        ShouldBeError(await server.PostAsync($"{id}/progress", """{"eventName":1}"""), 400);
        ShouldBeError(await server.PostAsync($"{id}/progress", """{"eventId":"\ud800"}"""), 400);
    }

    private static string Id(JsonElement task) => task.GetProperty("task_id").GetString()!;

    private async Task AtOtherAsync(string path, string body, int status = 200)
    {
        var reply = await BellaServer.ReadAsync(await server.OtherHttp.PostAsync(BellaServer.Uri(path), new StringContent(body)));
        ((int)reply.Status).ShouldBe(status, reply.Body);
    }

    private static void ShouldBeFault(BellaReply reply, int status, string message)
    {
        ((int)reply.Status).ShouldBe(status, reply.Body);
        reply.Json.GetProperty("code").GetInt32().ShouldBe(status);
        reply.Json.GetProperty("message").GetString().ShouldBe(message);
    }
}
