using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Consumers.Upstreams;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>The number of concurrent requests that is found for a simulated upstream.</summary>
public sealed class ConcurrencyLimitTests
{
    private static readonly TimeSpan Latency = TimeSpan.FromMilliseconds(100);

    private readonly FakeTimeProvider _time = new();
    private readonly PriorityQueue<SentRequest, DateTimeOffset> _sent = new();
    private readonly ConcurrencyLimit _limit;
    private DateTimeOffset[] _slots = []; // when each slot of the upstream is free
    private int _number;

    public ConcurrencyLimitTests() => _limit = new ConcurrencyLimit(200, _time);

    [Theory]
    [InlineData(2)]
    [InlineData(9)]
    [InlineData(16)]
    [InlineData(50)]
    public void It_finds_the_capacity_of_the_upstream(int capacity)
    {
        _slots = new DateTimeOffset[capacity];

        Run(60, Queued);

        _limit.Current.ShouldBeInRange(capacity * 7 / 10, (capacity * 3 / 2) + 1); // it may just try more or fewer
        Run(120, Queued).ShouldBeGreaterThan(0.9 * capacity / Latency.TotalSeconds);
    }

    [Fact]
    public void It_does_not_exceed_what_the_upstream_answers_without_getting_slower()
    {
        DateTimeOffset Slower() => _time.GetUtcNow() + (Latency * Math.Max(1, (_sent.Count + 1) / 8.0));

        Run(60, Slower);

        _limit.Current.ShouldBeInRange(6, 12);
        Run(120, Slower).ShouldBeGreaterThan(0.9 * 8 / Latency.TotalSeconds);
    }

    [Fact]
    public void It_follows_a_capacity_that_changes()
    {
        _slots = new DateTimeOffset[16];
        Run(60, Queued);

        _slots = new DateTimeOffset[40];
        Run(120, Queued);
        _limit.Current.ShouldBeInRange(26, 60);

        _slots = new DateTimeOffset[6];
        Run(120, Queued);
        _limit.Current.ShouldBeInRange(4, 10);
        Run(120, Queued).ShouldBeGreaterThan(0.9 * 6 / Latency.TotalSeconds);
    }

    [Fact]
    public void Without_load_it_stays_as_it_is()
    {
        _slots = new DateTimeOffset[16];
        Run(60, Queued);
        End(RequestEnd.Served);
        var found = _limit.Current;

        _time.Advance(TimeSpan.FromHours(1));
        _limit.Current.ShouldBe(found);
        for (var n = 0; n < 3000; n++) // one at a time
        {
            var request = _limit.Sent();
            _time.Advance(Latency);
            _limit.Ended(request, RequestEnd.Served);
        }

        _limit.Current.ShouldBe(found);
    }

    [Fact]
    public void Refusals_of_requests_that_were_sent_together_lower_it_once_and_never_below_the_first_limit()
    {
        _slots = new DateTimeOffset[16];
        Run(60, Queued);
        var found = _limit.Current;

        End(RequestEnd.Overload);

        _limit.Current.ShouldBeInRange(found / 2, (found * 3 / 4) + 1);
        for (var n = 0; n < 20; n++)
            _limit.Ended(_limit.Sent(), RequestEnd.Overload);
        _limit.Current.ShouldBe(4);
        Run(120, Queued);
        _limit.Current.ShouldBeGreaterThan(10);
    }

    [Fact]
    public void A_server_that_fails_changes_nothing()
    {
        for (var n = 0; n < 300; n++)
        {
            Run(1, Quick, RequestEnd.Failed);
            _limit.Current.ShouldBe(4);
        }

        DateTimeOffset Quick() => _time.GetUtcNow() + Latency;
    }

    [Fact]
    public void Too_few_tasks_for_all_slots_do_not_lower_it()
    {
        _slots = new DateTimeOffset[16];
        Run(60, Queued);
        End(RequestEnd.Served);
        var found = _limit.Current;

        for (var n = 0; n < 2000; n++) // now and then all slots are in use, mostly one is
        {
            var together = Enumerable.Range(0, n % 20 == 0 ? _limit.Current : 1).Select(_ => _limit.Sent()).ToList();
            _time.Advance(Latency);
            together.ForEach(r => _limit.Ended(r, RequestEnd.Served));
        }

        _limit.Current.ShouldBeGreaterThanOrEqualTo(found);
    }

    [Fact]
    public void Requests_that_say_nothing_change_nothing()
    {
        for (var n = 0; n < 1000; n++)
        {
            var together = Enumerable.Range(0, _limit.Current).Select(_ => _limit.Sent()).ToList();
            _time.Advance(Latency);
            together.ForEach(r => _limit.Ended(r, RequestEnd.Ignored));
        }

        _limit.Current.ShouldBe(4);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(30)]
    public void It_is_at_most_the_configured_concurrency(int most)
    {
        var limit = new ConcurrencyLimit(most, _time);
        limit.Current.ShouldBe(Math.Min(4, most));

        for (var n = 0; n < 100; n++)
        {
            for (var round = 0; round < 20; round++)
            {
                var together = Enumerable.Range(0, limit.Current).Select(_ => limit.Sent()).ToList();
                _time.Advance(Latency);
                together.ForEach(r => limit.Ended(r, RequestEnd.Served));
            }

            limit.Current.ShouldBeLessThanOrEqualTo(most);
        }

        limit.Current.ShouldBeGreaterThanOrEqualTo(most / 2);
    }

    /// <summary>Keeps as many requests in flight as the limit allows.</summary>
    /// <param name="seconds">For how long.</param>
    /// <param name="endOf">When a request ends that is sent now.</param>
    /// <param name="end">How they end.</param>
    /// <returns>Answers a second.</returns>
    private double Run(int seconds, Func<DateTimeOffset> endOf, RequestEnd end = RequestEnd.Served)
    {
        var (until, answers) = (_time.GetUtcNow().AddSeconds(seconds), 0);
        while (true)
        {
            while (_sent.Count < _limit.Current)
                _sent.Enqueue(_limit.Sent(), endOf());
            _sent.TryPeek(out _, out var next);
            if (next > until)
                break;
            _time.SetUtcNow(next);
            _limit.Ended(_sent.Dequeue(), end);
            answers++;
        }

        _time.SetUtcNow(until);
        return (double)answers / seconds;
    }

    /// <summary>Ends all requests in flight.</summary>
    private void End(RequestEnd end)
    {
        while (_sent.TryDequeue(out var request, out _))
            _limit.Ended(request, end);
    }

    /// <summary>A request takes the first free slot of the upstream, for a time that varies by a fifth.</summary>
    private DateTimeOffset Queued()
    {
        var slot = Array.IndexOf(_slots, _slots.Min());
        var start = _slots[slot] > _time.GetUtcNow() ? _slots[slot] : _time.GetUtcNow();
        return _slots[slot] = start + (Latency * (0.8 + (0.4 * (++_number * 37 % 101) / 100)));
    }
}
