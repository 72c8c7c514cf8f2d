using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>OpenAI's endpoints obey the queues of their models: their limits, and what pauses them.</summary>
public abstract class OnlineQueueTests(BatchUpstreamServer server)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    public sealed class OnSqlite(BatchUpstreamsOnSqlite server) : OnlineQueueTests(server), IClassFixture<BatchUpstreamsOnSqlite>;

    public sealed class OnServers(BatchUpstreamsOnServers server) : OnlineQueueTests(server), IClassFixture<BatchUpstreamsOnServers>;

    [Fact]
    public async Task A_caller_waits_while_the_queue_of_its_model_is_paused()
    {
        await RegisterAsync("paused");
        await SendAsync(HttpMethod.Post, "/queues/paused/pause", "");
        var before = server.Upstream.Requests.Count;
        var asking = AskAsync("paused", 0);
        await Eventually.UntilAsync(async () => await WaitingAsync("paused") == 1, Deadline, "the request waits in its queue");
        using (var other = await AskAsync("m", 0))
            other.EnsureSuccessStatusCode();
        server.Upstream.Requests.Count.ShouldBe(before + 1);

        await SendAsync(HttpMethod.Post, "/queues/paused/resume", "");

        using var answer = await asking;
        (await answer.Content.ReadAsStringAsync()).ShouldBe(TestUpstream.Completion);
    }

    [Fact]
    public async Task Callers_share_the_limit_of_their_queue()
    {
        await RegisterAsync("narrow");
        await SendAsync(HttpMethod.Put, "/queues/narrow", """{"max_running":1}""");
        var (running, most, gate) = (0, 0, new TaskCompletionSource());
        server.Upstream.Next([.. Enumerable.Repeat<Func<HttpContext, Task>>(AnswerAsync, 3)]);

        var asking = Enumerable.Range(0, 3).Select(n => AskAsync("narrow", n)).ToList();
        await Eventually.UntilAsync(async () => await WaitingAsync("narrow") == 2 && running == 1, Deadline, "two wait for the first");
        gate.SetResult();

        foreach (var answer in await Task.WhenAll(asking))
        {
            answer.EnsureSuccessStatusCode();
            answer.Dispose();
        }

        most.ShouldBe(1);

        async Task AnswerAsync(HttpContext context)
        {
            most = Math.Max(most, Interlocked.Increment(ref running));
            await gate.Task;
            Interlocked.Decrement(ref running);
            await TestUpstream.SayAsync(context, 200, TestUpstream.Completion);
        }
    }

    private async Task<long> WaitingAsync(string queue) =>
        JsonDocument.Parse(await server.Http.GetStringAsync(new Uri($"/queues/{queue}", UriKind.Relative)))
            .RootElement.GetProperty("counts").GetProperty("waiting").GetInt64();

    private async Task RegisterAsync(string queue) =>
        await SendAsync(HttpMethod.Post, "/v1/queue/register", $$"""{"queue":"{{queue}}","endpoint":"/v1/chat/completions"}""");

    private async Task SendAsync(HttpMethod method, string path, string body)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        request.Content = new StringContent(body, null, "application/json");
        using var answer = await server.Http.SendAsync(request);
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync());
    }

    private Task<HttpResponseMessage> AskAsync(string model, int n) =>
        server.Http.PostAsync(new Uri("/v1/chat/completions", UriKind.Relative),
            new StringContent($$"""{"model":"{{model}}","n":{{n.ToString(CultureInfo.InvariantCulture)}}}"""));
}
