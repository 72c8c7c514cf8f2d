using System.Diagnostics;
using System.Text;
using System.Text.Json;
using MassTransit;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>One trace runs from the request of a producer through the queue to the work.</summary>
[Collection(TracedCollection.Name)]
public sealed class TracingTests(TracedStack stack) : IClassFixture<TracedStack>
{
    private readonly ActivityTraceId _trace = ActivityTraceId.CreateRandom();
    private readonly ActivitySpanId _mine = ActivitySpanId.CreateRandom();

    private string Queue { get; } = $"q{Guid.NewGuid():N}";

    [Fact]
    public async Task The_trace_of_a_request_runs_through_the_queue_to_the_built_in_action()
    {
        await PostAsync("/tasks", new { action = "uppercase", data = new { text = "a" } });

        await HasSpanAsync("process tasks");
        var spans = Spans;
        var (request, send, process) = (spans.Single(s => s.Kind == ActivityKind.Server), Span("send tasks"), Span("process tasks"));
        request.ParentSpanId.ShouldBe(_mine);
        (request.DisplayName, request.GetTagItem("http.route"), request.GetTagItem("http.response.status_code"))
            .ShouldBe(("POST /tasks/", "/tasks/", 202));
        send.ParentSpanId.ShouldBe(request.SpanId);
        send.Kind.ShouldBe(ActivityKind.Producer);
        process.ParentSpanId.ShouldBe(send.SpanId);
        process.Kind.ShouldBe(ActivityKind.Consumer);
        process.TraceStateString.ShouldBe("vendor=1");
        process.GetTagItem("taskqueue.attempt").ShouldBe(1);
        process.GetTagItem("messaging.message.id").ShouldBe(send.GetTagItem("messaging.message.id"));
        spans.ShouldNotContain(s => s.DisplayName.StartsWith("mediator", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_failed_action_marks_its_span()
    {
        await PostAsync("/tasks", """{"action":"sum","data":{"numbers":["x"]}}""");

        await HasSpanAsync("process tasks");
        Span("process tasks").Status.ShouldBe(ActivityStatusCode.Error);
    }

    [Fact]
    public async Task A_claim_over_HTTP_returns_the_trace_of_each_bulk_task()
    {
        await PostAsync("/tasks/bulk", new { tasks = new[] { new { queue = Queue, action = "a" }, new { queue = Queue, action = "b" } } });

        var tasks = await stack.Host.Http.ClaimAsync(Queue, max: 2);
        tasks.Count.ShouldBe(2);
        foreach (var task in tasks)
        {
            task.Text("traceparent").ShouldBe(Span($"send {Queue}").Id);
            task.Text("tracestate").ShouldBe("vendor=1");
        }
    }

    [Fact]
    public async Task A_dispatch_on_the_bus_has_the_trace_in_the_tasks_headers()
    {
        (await stack.Host.Http.PutAsync($"/queues/{Queue}", new { delivery = "push" })).Status.ShouldBeLessThan(300);
        var got = new TaskCompletionSource<DispatchedTask>();
        await using var worker = await BusWorker.StartAsync(stack.RabbitMq, Queue, async (self, task) =>
        {
            await self.CompleteAsync(task);
            got.TrySetResult(task);
        });
        await PostAsync("/tasks", new { queue = Queue, action = "a" });

        var headers = JsonSerializer.Deserialize<JsonElement>((await got.Task.WaitAsync(TestHttp.Patience)).Headers!);
        headers.Text("traceparent").ShouldBe(Span($"send {Queue}").Id);
        headers.Text("tracestate").ShouldBe("vendor=1");
    }

    [Fact]
    public async Task The_trace_in_the_headers_of_a_producers_message_is_that_of_its_tasks()
    {
        var (own, other) = (new SubmittedTask(Guid.NewGuid(), Queue, "{}"), new SubmittedTask(Guid.NewGuid(), Queue, "{}"));
        await using var client = new BusClient(stack.RabbitMq);
        var endpoint = await (await client.BusAsync()).GetSendEndpoint(Addresses.Submit);
        await endpoint.Send(new SubmitTasks([own]), c => c.Headers.Set("traceparent", $"00-{_trace}-{_mine}-01"));
        await endpoint.Send(new SubmitTasks([other]), c => c.Headers.Set("traceparent", "mine"));

        var tasks = await stack.Host.Http.ClaimAsync(Queue, wait_seconds: 20);
        tasks.AddRange(await stack.Host.Http.ClaimAsync(Queue, wait_seconds: tasks.Count == 2 ? 0 : 20));
        tasks.Single(t => t.Id() == own.Id).Text("traceparent").ShouldBe($"00-{_trace}-{_mine}-01");
        tasks.Single(t => t.Id() == other.Id).Text("traceparent")?.ShouldNotContain(_trace.ToString());
    }

    [Fact]
    public async Task An_upstream_gets_the_trace_of_the_task_that_is_forwarded_to_it()
    {
        await PostAsync("/v1/queue/put", """{"queue":"v1-x","endpoint":"/v1/x","level":1,"data":{}}""");

        await HasSpanAsync("process v1-x");
        stack.Upstream.Requests.ShouldHaveSingleItem().Header("traceparent").ShouldBe(Span("process v1-x").Id);
        stack.Upstream.Requests.Single().Header("tracestate").ShouldBe("vendor=1");
    }

    private List<Activity> Spans => [.. stack.Spans.Where(s => s.TraceId == _trace)];

    private Activity Span(string name) => Spans.Single(s => s.DisplayName == name);

    private Task HasSpanAsync(string name) =>
        Eventually.UntilAsync(
            () => Task.FromResult(Spans.Exists(s => s.DisplayName == name)), TestHttp.Patience, $"the span '{name}' has ended");

    private async Task PostAsync(string path, object body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new StringContent(body as string ?? JsonSerializer.Serialize(body), Encoding.UTF8, "application/json"),
            Headers = { { "traceparent", $"00-{_trace}-{_mine}-01" }, { "tracestate", "vendor=1" } },
        };
        using var response = await stack.Host.Http.SendAsync(request);
        response.IsSuccessStatusCode.ShouldBeTrue(await response.Content.ReadAsStringAsync());
    }
}
