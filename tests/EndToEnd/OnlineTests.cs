using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>OpenAI's endpoints whose callers wait, served by an upstream; in another process if there is one.</summary>
public abstract class OnlineTests(BatchUpstreamServer server)
{
    private const string Chat = "/v1/chat/completions";
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    public sealed class OnSqlite(BatchUpstreamsOnSqlite server) : OnlineTests(server), IClassFixture<BatchUpstreamsOnSqlite>;

    public sealed class OnServers(BatchUpstreamsOnServers server) : OnlineTests(server), IClassFixture<BatchUpstreamsOnServers>;

    [Theory]
    [InlineData(200, TestUpstream.Completion)]
    [InlineData(400, """{"error":{"message":"no such model"}}""")]
    public async Task The_answer_is_that_of_the_upstream(int status, string body)
    {
        server.Upstream.Next(status, body);

        using var answer = await PostAsync(Chat, """{"model":"m","messages":[]}""");

        ((int)answer.StatusCode).ShouldBe(status);
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/json");
        (await answer.Content.ReadAsStringAsync()).ShouldBe(body);
        server.Upstream.Requests.Last().Body.ShouldBe("""{"model":"m","messages":[]}""");
    }

    [Fact]
    public async Task A_stream_is_passed_on_event_by_event()
    {
        var gate = new TaskCompletionSource();
        server.Upstream.Next(async context =>
        {
            await TestUpstream.SayAsync(context, 200, "data: {\"n\":1}\n\n", "text/event-stream");
            await context.Response.Body.FlushAsync();
            await gate.Task;
            await context.Response.WriteAsync("event: done\ndata: {\"n\":2}\n\ndata: [DONE]\n\n");
        });

        using var answer = await PostAsync(Chat, """{"model":"m","stream":true}""");

        answer.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        (await reader.ReadLineAsync()).ShouldBe("data: {\"n\":1}");
        gate.SetResult();
        (await reader.ReadToEndAsync()).ShouldBe("\nevent: done\ndata: {\"n\":2}\n\ndata: [DONE]\n\n");
    }

    [Fact]
    public async Task A_stream_that_fails_before_its_first_event_is_answered_with_the_status()
    {
        server.Upstream.Next(401, """{"error":{"message":"wrong key"}}""");

        using var answer = await PostAsync(Chat, """{"model":"m","stream":true}""");

        answer.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await answer.Content.ReadAsStringAsync()).ShouldBe("""{"error":{"message":"wrong key"}}""");
    }

    [Fact]
    public async Task A_caller_that_leaves_cancels_the_request()
    {
        var broken = server.Upstream.Broken;
        var before = server.Upstream.Requests.Count;
        server.Upstream.Next(TestUpstream.HangAsync);
        using var leave = new CancellationTokenSource();
        var asking = PostAsync(Chat, """{"model":"m"}""", leave.Token);
        await Eventually.UntilAsync(() => Task.FromResult(server.Upstream.Requests.Count > before), Deadline, "the upstream was asked");

        await leave.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(asking);
        await Eventually.UntilAsync(() => Task.FromResult(server.Upstream.Broken > broken), Deadline, "the request is broken off");
    }

    [Theory]
    [InlineData(Chat, "{}", 400, "model")]
    [InlineData(Chat, "[]", 400, null)]
    [InlineData(Chat, "{\"model\":7}", 400, "model")]
    [InlineData("/v1/embeddings", "{\"model\":\"nobody\"}", 404, "model")]
    public async Task A_request_without_a_known_model_is_refused(string path, string body, int status, string? param)
    {
        using var answer = await PostAsync(path, body);

        ((int)answer.StatusCode).ShouldBe(status);
        var error = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty("error");
        error.GetProperty("param").GetString().ShouldBe(param);
    }

    [Theory]
    [InlineData("false")]
    [InlineData("true")]
    public async Task A_request_whose_worker_is_lost_is_answered_with_OpenAIs_error(string stream)
    {
        var queue = $"lost-{stream}";
        using var registered = await server.Http.PostAsync(new Uri("/v1/queue/register", UriKind.Relative),
            new StringContent($$"""{"queue":"{{queue}}","endpoint":"/v1/embeddings"}"""));
        registered.EnsureSuccessStatusCode();
        var asking = PostAsync("/v1/embeddings", $$"""{"model":"{{queue}}","stream":{{stream}}}""");
        await Eventually.UntilAsync(
            async () => (await BellaServer.ReadAsync(await server.Http.PostAsync(BellaServer.Uri("take"),
                new StringContent($$"""{"queues":["{{queue}}:0"],"size":1,"process_timeout":1}""")))).Ok()
                .TryGetProperty($"{queue}:0", out _),
            Deadline, "a worker takes the request");

        using var answer = await asking;

        answer.StatusCode.ShouldBe(HttpStatusCode.RequestTimeout);
        var error = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty("error");
        (error.GetProperty("code").GetString(), error.GetProperty("type").GetString())
            .ShouldBe(("request_timeout", "invalid_request_error"));
        error.GetProperty("message").GetString().ShouldNotBeNullOrEmpty();
        error.GetProperty("param").ValueKind.ShouldBe(JsonValueKind.Null);
    }

    private Task<HttpResponseMessage> PostAsync(string path, string body, CancellationToken cancellationToken = default) =>
        server.Http.SendAsync(
            new HttpRequestMessage(HttpMethod.Post, new Uri(path, UriKind.Relative)) { Content = new StringContent(body) },
            HttpCompletionOption.ResponseHeadersRead, cancellationToken);
}
