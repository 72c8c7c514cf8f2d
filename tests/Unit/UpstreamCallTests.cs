using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Consumers.Upstreams;
using TaskQueue.Engine.Quotas;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Requests that another upstream takes, because the one that claimed the task cannot.</summary>
public sealed class UpstreamCallTests : IAsyncLifetime, IDisposable
{
    private const string Endpoint = "/v1/x", Model = "m";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(60));
    private readonly UpstreamHttp _http;
    private readonly UpstreamCalls _calls;
    private TestUpstream _first = null!, _second = null!;
    private Upstream _own = null!, _other = null!;

    public UpstreamCallTests()
    {
        _http = new UpstreamHttp(_time, NullLogger<UpstreamHttp>.Instance);
        var budget = new OwnerBudget(
            new SharedBudget(new OwnerBudgetTests.AloneStore(), _time), _time, NullLogger<OwnerBudget>.Instance);
        _calls = new UpstreamCalls(new UpstreamCallsTests.Replies(), _http, budget, _time, NullLogger<UpstreamCalls>.Instance);
    }

    public async Task InitializeAsync()
    {
        (_first, _second) = (await TestUpstream.StartAsync(), await TestUpstream.StartAsync());
        Configure();
    }

    public async Task DisposeAsync()
    {
        await _first.DisposeAsync();
        await _second.DisposeAsync();
    }

    public void Dispose() => _http.Dispose();

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(8, true)] // the last lane of an upstream's own queue
    public async Task A_task_whose_model_pauses_is_sent_to_another_upstream_with_its_key(int tier, bool isFallback)
    {
        Configure(other: o => (o.ApiKey, o.IsFallback) = ("sk-other", isFallback), own: o => o.ApiKey = "sk-own");
        await PauseAsync(_own, 30);

        (await RunAsync(tier)).IsCompleted.ShouldBeTrue();

        var request = _second.Requests.ShouldHaveSingleItem();
        (request.Target, request.Header("Authorization")).ShouldBe(("POST /v1/x", "Bearer sk-other"));
        _first.Requests.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_task_that_is_refused_is_sent_to_another_upstream_at_once(int tier)
    {
        _first.Usual = Refuse(429, "30");

        (await RunAsync(tier)).Result!.ShouldContain("\"status_code\":200");

        (_first.Requests.Count, _second.Requests.Count).ShouldBe((1, 1));
    }

    [Fact]
    public async Task A_caller_does_not_wait_for_an_upstream_that_cannot_be_reached()
    {
        await _first.DisposeAsync();

        for (var n = 0; n < 3; n++)
            (await RunAsync(tier: 0)).Result!.ShouldContain("\"status_code\":200");

        _second.Requests.Count.ShouldBe(3);
    }

    [Fact]
    public async Task A_server_error_is_tried_at_another_upstream_at_once()
    {
        _first.Usual = context => TestUpstream.SayAsync(context, 500, "{}");

        (await RunAsync(tier: 0)).Result!.ShouldContain("\"status_code\":200");

        (_first.Requests.Count, _second.Requests.Count).ShouldBe((1, 1));
    }

    [Fact]
    public async Task The_last_answer_counts_if_all_upstreams_fail()
    {
        Configure(own: o => o.MaxRetries = 1);
        _first.Usual = context => TestUpstream.SayAsync(context, 500, "{}");
        _second.Usual = context => TestUpstream.SayAsync(context, 501, "{}");

        (await PassAsync(RunAsync(tier: 0))).Result!.ShouldContain("\"status_code\":501");

        (_first.Requests.Count, _second.Requests.Count).ShouldBe((2, 2));
    }

    [Fact]
    public async Task If_all_pause_a_task_waits_for_the_one_that_continues_first()
    {
        _own.PaceOf("another");
        await PauseAsync(_own, 30);
        await PauseAsync(_other, 10);

        (await RunAsync(tier: 1)).Delay!.Value.TotalSeconds.ShouldBeInRange(10, 11.1);

        (_first.Requests.Count, _second.Requests.Count).ShouldBe((0, 0));
    }

    [Fact]
    public async Task A_request_that_waits_moves_if_its_upstream_is_refused_again()
    {
        await PauseAsync(_own, 1);
        await PauseAsync(_other, 1.5);
        var running = RunAsync(tier: 1);

        var pace = _own.PaceOf(Model);
        pace.Refused(new PaceTurn(TimeSpan.Zero, 1), TimeSpan.FromSeconds(30), isThrottled: true, "429", 0.5);

        (await PassAsync(running)).IsCompleted.ShouldBeTrue();
        (_first.Requests.Count, _second.Requests.Count).ShouldBe((0, 1));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Upstreams_that_do_not_serve_the_task_are_not_asked(bool isModel)
    {
        Configure(other: o =>
        {
            if (isModel)
                o.Models.Add("another");
            else
                o.Tiers.Add(0);
        });
        _own.PaceOf("another");
        await PauseAsync(_own, 30);

        (await RunAsync(tier: 1)).Delay!.Value.TotalSeconds.ShouldBeInRange(30, 33.1);

        _second.Requests.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(false, 2, 2.3)]
    [InlineData(true, 0, 0)] // it claims no task while it pauses as a whole
    public async Task If_the_others_are_full_a_task_soon_comes_back(bool isWhole, double least, double most)
    {
        var release = await FillAsync();
        if (!isWhole)
            _own.PaceOf("another");
        await PauseAsync(_own, 30);

        (await PassAsync(RunAsync(tier: 1))).Delay!.Value.TotalSeconds.ShouldBeInRange(least, most);

        release.SetResult();
        _second.Requests.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_caller_waits_for_a_slot_of_another_upstream()
    {
        var release = await FillAsync();
        await PauseAsync(_own, 600);
        var running = RunAsync(tier: 0);
        for (var n = 0; n < 50; n++)
            _time.Advance(TimeSpan.FromMilliseconds(100));
        running.IsCompleted.ShouldBeFalse();

        release.SetResult();

        (await PassAsync(running)).Result!.ShouldContain("\"status_code\":200");
        (_second.MostAtOnce, _second.Requests.Count).ShouldBe((1, 2));
    }

    [Fact]
    public async Task A_caller_that_waits_for_a_slot_goes_back_if_its_upstream_continues()
    {
        var release = await FillAsync();
        await PauseAsync(_own, 3);

        (await PassAsync(RunAsync(tier: 0))).Result!.ShouldContain("\"status_code\":200");

        _first.Requests.Count.ShouldBe(1);
        release.SetResult();
    }

    [Fact]
    public async Task Half_of_the_slots_are_kept_for_models_that_do_not_pause()
    {
        Configure(own: o => o.MaxConcurrency = 4);
        var release = Hold(_second);
        _own.PaceOf("another");
        await PauseAsync(_own, 600);

        var running = Enumerable.Range(0, 4).Select(_ => RunAsync(tier: 1)).ToList();
        await Eventually.UntilAsync(() => Task.FromResult(running.Count(r => r.IsCompleted) == 2), Patience, "two do not go");
        release.SetResult();

        (await Task.WhenAll(running)).Count(o => o.Delay is not null).ShouldBe(2);
        _second.Requests.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Tasks_of_others_do_not_exceed_the_concurrency_that_was_found()
    {
        Configure(other: o => (o.MaxConcurrency, o.AdaptConcurrency) = (100, true));
        var release = Hold(_second);
        await PauseAsync(_own, 600);

        var running = Enumerable.Range(0, 10).Select(_ => RunAsync(tier: 1)).ToList();
        await Eventually.UntilAsync(
            () => Task.FromResult(running.Count(r => r.IsCompleted) == 6 && _second.Requests.Count == 4), Patience, "six do not go");
        release.SetResult();

        await Task.WhenAll(running);
        _second.MostAtOnce.ShouldBe(4);
    }

    [Fact]
    public async Task Tasks_that_would_wait_long_for_their_turn_are_sent_to_another_upstream()
    {
        await SlowAsync(_own);

        await PassAsync(Task.WhenAll(Enumerable.Range(0, 20).Select(_ => RunAsync(tier: 1))));

        _second.Requests.Count.ShouldBeGreaterThan(5); // of the first, two a second
        (_first.Requests.Count + _second.Requests.Count).ShouldBe(20);
    }

    [Fact]
    public async Task Tasks_of_the_only_model_keep_their_slots_while_they_wait_for_their_turn()
    {
        await SlowAsync(_own);
        await PauseAsync(_other, 600);

        var outcomes = await PassAsync(Task.WhenAll(Enumerable.Range(0, 16).Select(_ => RunAsync(tier: 1))));

        outcomes.ShouldAllBe(o => o.IsCompleted);
        _first.Requests.Count.ShouldBe(16);
    }

    [Fact]
    public async Task An_upstream_that_failed_is_tried_again_if_the_other_one_pauses()
    {
        _first.Next(500, "{}");
        _second.Usual = Refuse(429, "600");

        (await RunAsync(tier: 1)).Result!.ShouldContain("\"status_code\":200");

        (_first.Requests.Count, _second.Requests.Count).ShouldBe((2, 1));
    }

    [Fact]
    public async Task A_retry_counts_if_all_that_answer_have_failed()
    {
        Configure(own: o => o.MaxRetries = 1);
        _first.Usual = context => TestUpstream.SayAsync(context, 500, "{}");
        _second.Usual = Refuse(429, "0.1");

        (await PassAsync(RunAsync(tier: 1))).Result!.ShouldContain("\"status_code\":500");

        _first.Requests.Count.ShouldBeInRange(2, 4); // in each round, perhaps once more after the refusal
    }

    [Fact]
    public async Task A_retry_counts_if_the_others_are_full()
    {
        var release = await FillAsync(own: o => o.MaxRetries = 2);
        _first.Usual = context => TestUpstream.SayAsync(context, 500, "{}");

        (await PassAsync(RunAsync(tier: 1))).Result!.ShouldContain("\"status_code\":500");

        (_first.Requests.Count, _second.Requests.Count).ShouldBe((3, 1));
        release.SetResult();
    }

    [Fact]
    public async Task A_retry_counts_if_the_others_have_no_budget()
    {
        Configure(own: o => o.MaxRetries = 2, other: o => o.OwnerRequestsPerMinute = 1);
        _first.Usual = context => TestUpstream.SayAsync(context, 500, "{}");
        (await RunAsync(tier: 1, _other)).IsCompleted.ShouldBeTrue();

        (await PassAsync(RunAsync(tier: 1))).Result!.ShouldContain("\"status_code\":500");

        (_first.Requests.Count, _second.Requests.Count).ShouldBe((3, 1));
    }

    [Fact]
    public async Task A_caller_does_not_hold_up_other_models_while_the_others_are_full()
    {
        var release = await FillAsync();
        _own.PaceOf("another");
        await PauseAsync(_own, 600);

        (await PassAsync(RunAsync(tier: 0))).Delay!.Value.TotalSeconds.ShouldBeInRange(2, 2.3);

        release.SetResult();
    }

    [Fact]
    public async Task An_upstream_claims_only_what_others_leave_it()
    {
        Configure(other: o => o.MaxConcurrency = 3);
        var release = Hold(_second);
        await PauseAsync(_own, 600);
        var running = Enumerable.Range(0, 2).Select(_ => RunAsync(tier: 1)).ToList();
        await Eventually.UntilAsync(() => Task.FromResult(_second.Requests.Count == 2), Patience, "both were sent");
        _other.BeginClaim(3).ShouldBe(1);
        running.Add(RunAsync(tier: 1));
        await Eventually.UntilAsync(() => Task.FromResult(_second.Requests.Count == 3), Patience, "the third was sent");

        var ready = _other.ReadyAsync(default);
        _time.Advance(TimeSpan.FromSeconds(1));
        ready.IsCompleted.ShouldBeFalse();
        release.SetResult();
        await Task.WhenAll(running);

        await Eventually.UntilAsync(() =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            return Task.FromResult(ready.IsCompleted);
        }, Patience, "it claims again");
        (_other.BeginClaim(3), _other.Slots.Free, _own.Slots.Free).ShouldBe((3, 3, 16));
    }

    [Fact]
    public async Task A_budget_of_another_upstream_binds_a_task_only_there()
    {
        Configure(other: o => o.OwnerRequestsPerMinute = 1);
        _own.PaceOf("another");
        await PauseAsync(_own, 30);
        (await RunAsync(tier: 1)).IsCompleted.ShouldBeTrue();

        (await RunAsync(tier: 1)).Delay!.Value.TotalSeconds.ShouldBeInRange(2, 2.3);
        _time.Advance(TimeSpan.FromSeconds(31));

        (await RunAsync(tier: 1)).IsCompleted.ShouldBeTrue();
        (_first.Requests.Count, _second.Requests.Count).ShouldBe((1, 1));
    }

    [Theory]
    [InlineData("Retry-After", "0")]
    [InlineData("retry-after-ms", "1")]
    public async Task An_upstream_that_asks_for_no_pause_is_not_asked_without_one(string header, string value)
    {
        Configure(isAlone: true);
        _first.Usual = context =>
        {
            context.Response.Headers[header] = value;
            return TestUpstream.SayAsync(context, 429, "{}");
        };
        using var stop = new CancellationTokenSource();
        var running = RunAsync(tier: 1, cancellationToken: stop.Token);

        await Eventually.UntilAsync(() => Task.FromResult(_own.ClosedFor(Model) > TimeSpan.Zero), Patience, "it pauses");

        _first.Requests.Count.ShouldBe(1);
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(running);
    }

    private static Func<Microsoft.AspNetCore.Http.HttpContext, Task> Refuse(int status, string retryAfter) => context =>
    {
        context.Response.Headers.RetryAfter = retryAfter;
        return TestUpstream.SayAsync(context, status, "{}");
    };

    /// <summary>Lets its requests wait until the result is set.</summary>
    private static TaskCompletionSource Hold(TestUpstream server)
    {
        var release = new TaskCompletionSource();
        server.Usual = async context =>
        {
            await release.Task;
            await TestUpstream.SayAsync(context, 200, "{}");
        };
        return release;
    }

    /// <summary>Two requests a second, as after an outage.</summary>
    private async Task SlowAsync(Upstream upstream)
    {
        await PauseAsync(upstream, 1);
        _time.Advance(TimeSpan.FromSeconds(1));
        upstream.PaceOf(Model).Answered();
    }

    /// <summary>Takes the only slot of the other upstream, until the result is set.</summary>
    private async Task<TaskCompletionSource> FillAsync(Action<UpstreamOptions>? own = null)
    {
        Configure(own, other: o => o.MaxConcurrency = 1);
        var release = new TaskCompletionSource();
        _second.Next(async context =>
        {
            await release.Task;
            await TestUpstream.SayAsync(context, 200, "{}");
        });
        _ = RunAsync(tier: 1, upstream: _other);
        await Eventually.UntilAsync(() => Task.FromResult(_other.Slots.Free == 0 && _second.Requests.Count == 1), Patience, "it is full");
        return release;
    }

    private static async Task PauseAsync(Upstream upstream, double seconds)
    {
        var pace = upstream.PaceOf(Model);
        var turn = await pace.EnterAsync(TimeSpan.MaxValue, null, default);
        pace.Refused(turn, TimeSpan.FromSeconds(seconds), isThrottled: true, "429", 0.5);
    }

    private void Configure(Action<UpstreamOptions>? own = null, Action<UpstreamOptions>? other = null, bool isAlone = false)
    {
        UpstreamOptions[] options = [new() { Endpoint = Endpoint, BaseUrl = _first.Address.ToString() },
            new() { Endpoint = Endpoint, BaseUrl = _second.Address.ToString() }];
        own?.Invoke(options[0]);
        other?.Invoke(options[1]);
        List<Upstream> all = [.. options.Select(o => new Upstream(o, options, _time))];
        (_own, _other) = (all[0], all[1]);
        if (!isAlone)
            Upstream.Link(all, _time);
    }

    private Task<TaskOutcome> RunAsync(int tier, Upstream? upstream = null, CancellationToken cancellationToken = default)
    {
        var task = TestTasks.New(change: t =>
        {
            (t.Queue, t.Tier, t.Payload) = ("v1-x", tier, $$"""{"model":"{{Model}}"}""");
            t.BatchId = tier > 0 ? Guid.NewGuid() : null;
            t.ExpiresAt = _time.GetUtcNow().UtcDateTime.AddDays(1);
        });
        var attempt = new Attempt(
            new WorkItem(task.CorrelationId, 1, task.Queue, tier, task.Name, task.Payload, TimeSpan.FromMinutes(1)), new Signal());
        return _calls.RunAsync(upstream ?? _own, attempt, task, cancellationToken).WaitAsync(Patience, CancellationToken.None);
    }

    /// <summary>Lets time pass until it has ended.</summary>
    private async Task<T> PassAsync<T>(Task<T> running)
    {
        await Eventually.UntilAsync(() =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            return Task.FromResult(running.IsCompleted);
        }, Patience, "time has passed");
        return await running;
    }
}
