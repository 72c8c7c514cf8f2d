using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Consumers.Upstreams;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>The pace of requests to an upstream that sometimes says "not now".</summary>
public sealed class RequestPaceTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly FakeTimeProvider _time = new();
    private readonly RequestPace _pace;

    public RequestPaceTests() => _pace = new RequestPace(_time);

    [Fact]
    public async Task Nobody_waits_until_a_request_is_refused()
    {
        for (var n = 0; n < 1000; n++)
            (await EnterAsync()).Wait.ShouldBe(TimeSpan.Zero);

        (_pace.Rate, _pace.Pause, _pace.Reason).ShouldBe((null, TimeSpan.Zero, null));
    }

    [Fact]
    public async Task A_refusal_pauses_all_as_long_as_the_upstream_asks_and_tells_why()
    {
        var turn = await EnterAsync();

        _pace.Refused(turn, TimeSpan.FromSeconds(7), isThrottled: true, "429: slow down", chance: 0.5).ShouldBe(TimeSpan.FromSeconds(7));
        var waiting = EnterAsync();

        (_pace.Pause, _pace.Reason).ShouldBe((TimeSpan.FromSeconds(7), "429: slow down"));
        _time.Advance(TimeSpan.FromSeconds(6.9));
        waiting.IsCompleted.ShouldBeFalse();
        _time.Advance(TimeSpan.FromSeconds(0.2));
        await waiting;
    }

    [Fact]
    public async Task Refusals_of_requests_that_were_sent_together_count_once()
    {
        var turns = new[] { await EnterAsync(), await EnterAsync(), await EnterAsync() };

        foreach (var turn in turns)
            Refuse(turn);

        _pace.Pause.ShouldBe(Second); // the first of the waits
        _time.Advance(Second);
        Refuse(await EnterAsync());
        _pace.Pause.ShouldBe(2 * Second);
    }

    [Fact]
    public async Task After_a_pause_single_requests_are_sent_until_one_is_answered()
    {
        Refuse(await EnterAsync());
        var waiting = Enumerable.Range(0, 5).Select(_ => EnterAsync()).ToList();

        _time.Advance(Second);
        await Task.WhenAny(waiting);
        waiting.Count(w => w.IsCompleted).ShouldBe(1);
        _pace.Answered();

        _pace.Reason.ShouldBeNull();
        await PassAsync(waiting);
    }

    [Fact]
    public async Task A_server_that_comes_back_is_asked_at_a_rate_that_doubles()
    {
        _pace.Refused(await EnterAsync(), null, isThrottled: false, "away", chance: 0.5);
        _time.Advance(Second);
        await EnterAsync();

        _pace.Answered();
        _pace.Rate.ShouldBe(2);
        for (var n = 0; n < 6; n++)
            _pace.Answered();

        _pace.Rate.ShouldBe(8);
        for (var n = 0; n < 5000; n++)
            _pace.Answered();
        _pace.Rate.ShouldBeNull();
    }

    [Fact]
    public async Task The_rate_is_learned_from_what_was_answered_and_grows_again()
    {
        for (var n = 0; n < 20; n++) // ten a second
        {
            await EnterAsync();
            _pace.Answered();
            _time.Advance(TimeSpan.FromMilliseconds(100));
        }

        Refuse(await EnterAsync(), TimeSpan.Zero);

        var learned = _pace.Rate!.Value;
        learned.ShouldBeInRange(5, 9);
        for (var n = 0; n < 50; n++)
            _pace.Answered();
        _pace.Rate!.Value.ShouldBeGreaterThan(learned);
    }

    [Fact]
    public async Task Requests_are_spaced_by_the_rate()
    {
        for (var n = 0; n < 20; n++)
        {
            await EnterAsync();
            _pace.Answered();
            _time.Advance(TimeSpan.FromMilliseconds(100));
        }

        Refuse(await EnterAsync(), TimeSpan.Zero);
        await EnterAsync();
        _pace.Answered();
        await EnterAsync();
        var next = EnterAsync();

        _time.Advance(TimeSpan.FromSeconds(0.5 / _pace.Rate!.Value));
        next.IsCompleted.ShouldBeFalse();
        _time.Advance(TimeSpan.FromSeconds(0.6 / _pace.Rate!.Value));
        await next;
    }

    [Fact]
    public async Task A_server_that_is_away_has_no_rate_to_learn()
    {
        await EnterAsync();
        _pace.Answered();

        _pace.Refused(await EnterAsync(), null, isThrottled: false, "away", chance: 0.5);

        _pace.Rate.ShouldBeNull();
    }

    [Fact]
    public async Task A_wait_beyond_the_patience_is_told_instead()
    {
        Refuse(await EnterAsync(), TimeSpan.FromSeconds(30));

        (await _pace.EnterAsync(2 * Second, null, default)).Wait.ShouldBe(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task A_wait_can_be_cancelled()
    {
        Refuse(await EnterAsync(), TimeSpan.FromSeconds(30));
        using var stop = new CancellationTokenSource();
        var waiting = _pace.EnterAsync(TimeSpan.MaxValue, null, stop.Token);

        await stop.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(waiting);
    }

    [Fact]
    public async Task Cancelled_waits_give_their_turns_back()
    {
        Refuse(await EnterAsync(), Second);
        _time.Advance(Second);
        await EnterAsync(); // until it is answered, one a second
        using var stop = new CancellationTokenSource();
        var cancelled = Enumerable.Range(0, 100).Select(_ => _pace.EnterAsync(TimeSpan.MaxValue, null, stop.Token)).ToList();

        await stop.CancelAsync();
        foreach (var wait in cancelled)
            await Should.ThrowAsync<OperationCanceledException>(wait);

        var next = EnterAsync();
        next.IsCompleted.ShouldBeFalse();
        _time.Advance(Second);
        await next.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Those_behind_a_cancelled_wait_move_up()
    {
        Refuse(await EnterAsync(), Second);
        _time.Advance(Second);
        await EnterAsync();
        using var stop = new CancellationTokenSource();
        var cancelled = _pace.EnterAsync(TimeSpan.MaxValue, null, stop.Token);
        var moved = new TaskCompletionSource();
        var waits = 0;
        var behind = _pace.EnterAsync(TimeSpan.MaxValue, wait =>
        {
            if (++waits == 2 && wait <= Second)
                moved.SetResult();
        }, default);

        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(cancelled);

        await moved.Task.WaitAsync(TimeSpan.FromSeconds(30));
        behind.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task Those_that_do_not_wait_here_have_places_twice_as_dense_as_the_turns()
    {
        Refuse(await EnterAsync(), TimeSpan.FromSeconds(30));

        var waits = new List<double>();
        for (var n = 0; n < 2000; n++)
            waits.Add((await _pace.EnterAsync(2 * Second, null, default)).Wait.TotalSeconds);

        waits.Take(4).ShouldBe([30.0, 30.5, 31.0, 31.5]);
        waits.Max().ShouldBe(600);
    }

    [Fact]
    public async Task Those_whose_callers_wait_have_a_line_of_their_own()
    {
        Refuse(await EnterAsync(), TimeSpan.FromSeconds(30));
        for (var n = 0; n < 100; n++)
            await _pace.EnterAsync(2 * Second, null, default);

        (await _pace.EnterAsync(2 * Second, isOnline: true, null, default)).Wait.ShouldBe(TimeSpan.FromSeconds(30));
        (await _pace.EnterAsync(2 * Second, isOnline: true, null, default)).Wait.ShouldBe(TimeSpan.FromSeconds(30.5));
    }

    [Fact]
    public async Task An_answer_ends_the_line()
    {
        Refuse(await EnterAsync(), TimeSpan.FromSeconds(30));
        for (var n = 0; n < 100; n++)
            await _pace.EnterAsync(2 * Second, null, default);
        _time.Advance(TimeSpan.FromSeconds(31));
        _pace.Answered();
        Refuse(await EnterAsync(), TimeSpan.FromSeconds(20));

        (await _pace.EnterAsync(2 * Second, null, default)).Wait.ShouldBe(TimeSpan.FromSeconds(20));
    }

    /// <summary>Lets time pass until all have had their turn.</summary>
    private Task PassAsync(List<Task<PaceTurn>> waiting) =>
        Eventually.UntilAsync(() =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(50));
            return Task.FromResult(waiting.TrueForAll(w => w.IsCompleted));
        }, TimeSpan.FromSeconds(10), "all have had their turn");

    private Task<PaceTurn> EnterAsync() => _pace.EnterAsync(TimeSpan.MaxValue, null, default);

    private void Refuse(PaceTurn turn, TimeSpan? asked = null) => _pace.Refused(turn, asked, isThrottled: true, "429", chance: 0.5);
}
