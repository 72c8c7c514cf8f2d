using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Consumers.Upstreams;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>What becomes of a task whose upstream does not answer, or not now.</summary>
public sealed class UpstreamCallsTests : IAsyncLifetime, IDisposable
{
    private const string Endpoint = "/v1/x";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(60));
    private readonly UpstreamHttp _http;
    private readonly UpstreamCalls _calls;
    private TestUpstream _server = null!;

    public UpstreamCallsTests()
    {
        _http = new UpstreamHttp(_time, NullLogger<UpstreamHttp>.Instance);
        var budget = new OwnerBudget(
            new SharedBudget(new OwnerBudgetTests.AloneStore(), _time), _time, NullLogger<OwnerBudget>.Instance);
        _calls = new UpstreamCalls(new Replies(), _http, budget, _time, NullLogger<UpstreamCalls>.Instance);
    }

    public async Task InitializeAsync() => _server = await TestUpstream.StartAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    public void Dispose() => _http.Dispose();

    [Fact]
    public async Task Tasks_whose_owner_has_spent_its_budget_wait_in_the_queue_each_at_its_place()
    {
        var upstream = New(o => o.OwnerRequestsPerMinute = 1);
        (await RunAsync(upstream, TestTasks.New())).IsCompleted.ShouldBeTrue();

        var waits = new List<double>();
        for (var n = 0; n < 3; n++)
            waits.Add((await RunAsync(upstream, TestTasks.New())).Delay!.Value.TotalSeconds);

        waits[0].ShouldBeInRange(60, 66.1); // a tenth more, by chance
        waits[1].ShouldBeInRange(90, 99.1);
        waits[2].ShouldBeInRange(120, 132.1);
        _server.Requests.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_task_whose_model_pauses_waits_in_the_queue_and_costs_nothing()
    {
        var upstream = New(o => o.OwnerRequestsPerMinute = 1);
        upstream.PaceOf("b");
        await PauseAsync(upstream.PaceOf("a"));

        (await RunAsync(upstream, Naming("a"))).Delay!.Value.TotalSeconds.ShouldBeInRange(30, 33.1);

        (await RunAsync(upstream, Naming("b"))).IsCompleted.ShouldBeTrue();
        _server.Requests.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_line_that_breaks_each_connection_is_an_error_in_the_end()
    {
        _server.Usual = context =>
        {
            context.Abort();
            return Task.CompletedTask;
        };

        var outcome = await PassAsync(RunAsync(New(o => o.MaxRetries = 2), Item()));

        outcome.Result!.ShouldContain("\"status_code\":502");
        _server.Requests.Count.ShouldBe(3);
    }

    [Fact]
    public async Task A_line_that_is_never_answered_is_an_error_in_the_end()
    {
        _server.Usual = TestUpstream.HangAsync;

        var outcome = await PassAsync(RunAsync(New(o => (o.MaxRetries, o.TimeoutSeconds) = (1, 1)), Item()));

        outcome.Result!.ShouldContain("\"status_code\":504");
    }

    [Fact]
    public async Task A_line_waits_for_a_server_that_cannot_be_reached_and_does_not_tell_where_it_is()
    {
        var port = _server.Address.Port;
        var upstream = New(o => o.MaxRetries = 0);
        await _server.DisposeAsync();
        var attempt = AttemptOf(Item());

        var running = RunAsync(upstream, Item(), attempt);
        await UntilAsync(() => attempt.LastProgress?.Contains("could not be reached", StringComparison.Ordinal) == true);
        running.IsCompleted.ShouldBeFalse();
        attempt.LastProgress!.ShouldContain($"\"upstream\":\"{Endpoint}\"");
        attempt.LastProgress!.ShouldNotContain("127.0.0.1");
        _server = await TestUpstream.StartAsync(port);

        (await PassAsync(running)).Result!.ShouldContain("\"status_code\":200");
    }

    [Fact]
    public async Task Those_who_wait_are_told_the_status_and_not_the_text_of_the_error()
    {
        _server.Usual = context =>
        {
            context.Response.Headers.RetryAfter = "30";
            return TestUpstream.SayAsync(context, 429, """{"error":{"message":"organization hunter2"}}""");
        };
        var attempt = AttemptOf(Item());
        using var stop = new CancellationTokenSource();

        var running = RunAsync(New(), Item(), attempt, stop.Token);
        await Eventually.UntilAsync(() => Task.FromResult(attempt.LastProgress is not null), Patience, "it says what it waits for");

        attempt.LastProgress!.ShouldContain("the upstream answered 429");
        attempt.LastProgress!.ShouldNotContain("hunter2");
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(running);
    }

    [Fact]
    public async Task A_wait_in_the_queue_does_not_allow_the_retries_anew()
    {
        _server.Usual = context =>
        {
            context.Response.Headers.RetryAfter = "5";
            return TestUpstream.SayAsync(context, (int)HttpStatusCode.InternalServerError, "{}");
        };
        var (upstream, task) = (New(o => o.MaxRetries = 1), Naming("a"));
        upstream.PaceOf("b");

        (await RunAsync(upstream, task)).Delay.ShouldNotBeNull();
        _time.Advance(TimeSpan.FromSeconds(6));

        (await RunAsync(upstream, task)).Result!.ShouldContain("\"status_code\":500");
        _server.Requests.Count.ShouldBe(2);
    }

    [Theory]
    [InlineData(1000, false)]
    [InlineData(2, true)]
    public async Task A_budget_of_tokens_is_settled_by_the_usage_of_the_answer(int used, bool isNextSent)
    {
        _server.Usual = context => TestUpstream.SayAsync(context, 200, $$$"""{"usage":{"total_tokens":{{{used}}}}}""");
        var upstream = New(o => o.OwnerTokensPerMinute = 100);
        (await RunAsync(upstream, TestTasks.New(change: t => t.Payload = """{"max_tokens":90}"""))).IsCompleted.ShouldBeTrue();

        var next = await RunAsync(upstream, TestTasks.New(change: t => t.Payload = """{"max_tokens":90}"""));

        next.IsCompleted.ShouldBe(isNextSent);
        if (!isNextSent)
            next.Delay!.Value.TotalMinutes.ShouldBeInRange(9.5, 11); // 1094 of 100 a minute, and a tenth by chance
    }

    [Theory]
    [InlineData(4, """{"choices":[],"usage":{"prompt_tokens":600,"completion_tokens":400,"total_tokens":1000}}""")]
    [InlineData(4000, "[DONE]")]
    public async Task A_budget_of_tokens_is_settled_by_the_usage_or_the_text_of_a_stream(int bytes, string last)
    {
        var delta = $$$"""{"choices":[{"delta":{"role":"assistant","content":"{{{new string('x', bytes)}}}"}}]}""";
        _server.Usual = context => TestUpstream.SayAsync(context, 200, $"data: {delta}\n\ndata: {last}\n\n", "text/event-stream");
        var upstream = New(o => o.OwnerTokensPerMinute = 100);
        (await RunAsync(upstream, Streaming())).IsCompleted.ShouldBeTrue();

        (await RunAsync(upstream, Streaming())).Delay!.Value.TotalMinutes.ShouldBeInRange(9, 10.5);
    }

    private static TaskState Streaming() => TestTasks.New(change: t =>
    {
        t.Payload = """{"stream":true}""";
        t.Headers = """{"response_mode":"streaming"}""";
        t.CompletionActions = """{"ReplyTo":"caller"}""";
    });

    private static async Task PauseAsync(RequestPace pace) =>
        pace.Refused(await pace.EnterAsync(TimeSpan.MaxValue, null, default), TimeSpan.FromSeconds(30), isThrottled: true, "429", 0.5);

    private static TaskState Naming(string model) => TestTasks.New(change: t => t.Payload = $$"""{"model":"{{model}}"}""");

    private static Attempt AttemptOf(TaskState task) =>
        new(new WorkItem(task.CorrelationId, 1, task.Queue, task.Tier, task.Name, task.Payload, TimeSpan.FromMinutes(1)), new Signal());

    private TaskState Item() => TestTasks.New(change: t =>
    {
        t.BatchId = Guid.NewGuid();
        t.ExpiresAt = _time.GetUtcNow().UtcDateTime.AddDays(1);
    });

    private Upstream New(Action<UpstreamOptions>? change = null)
    {
        var options = new UpstreamOptions { Endpoint = Endpoint, BaseUrl = _server.Address.ToString() };
        change?.Invoke(options);
        return new Upstream(options, [options], _time);
    }

    private Task<TaskOutcome> RunAsync(Upstream upstream, TaskState task, Attempt? attempt = null,
        CancellationToken cancellationToken = default) =>
        _calls.RunAsync(upstream, attempt ?? AttemptOf(task), task, cancellationToken).WaitAsync(Patience, CancellationToken.None);

    /// <summary>Lets time pass until it has ended.</summary>
    private async Task<TaskOutcome> PassAsync(Task<TaskOutcome> running)
    {
        await UntilAsync(() => running.IsCompleted);
        return await running;
    }

    private Task UntilAsync(Func<bool> condition) =>
        Eventually.UntilAsync(() =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            return Task.FromResult(condition());
        }, Patience, "time has passed");

    internal sealed class Replies : IReplySender
    {
        public Task ProgressAsync(string replyTo, Guid taskId, TaskProgress progress, CancellationToken cancellationToken) =>
            Task.CompletedTask;

        public void Ended(IEnumerable<TaskState> written) => throw new NotSupportedException();
    }
}
