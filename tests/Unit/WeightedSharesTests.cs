using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Consumers.Upstreams;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Upstreams of the same tasks with different weights.</summary>
public sealed class WeightedSharesTests
{
    private readonly FakeTimeProvider _time = new();

    [Theory]
    [InlineData(3, 1)]
    [InlineData(1, 1000)]
    [InlineData(5, 2, 1)]
    [InlineData(2, 2, 1)]
    public void Tasks_are_shared_by_weight(params int[] weights)
    {
        var all = New([.. weights.Select(w => (Action<UpstreamOptions>)(o => o.Weight = w))]);
        var taken = new int[all.Count];
        var turns = 10 * weights.Sum();

        for (var n = 0; n < turns; n++)
        {
            var free = all.FindAll(u => !IsAhead(u));
            free.ForEach(u => u.BeginClaim(10));
            var one = free[n % free.Count];
            one.EndClaim(1);
            taken[all.IndexOf(one)]++;
            _time.Advance(TimeSpan.FromSeconds(2));
        }

        for (var i = 0; i < taken.Length; i++)
            taken[i].ShouldBeInRange((10 * weights[i]) - 2, (10 * weights[i]) + 2);
    }

    [Fact]
    public async Task One_that_is_ahead_waits_until_the_other_has_caught_up()
    {
        var all = New(null, o => o.Weight = 3);
        all[1].BeginClaim(10);
        Take(all[0], 1);
        var waiting = all[0].ReadyAsync(default);

        waiting.IsCompleted.ShouldBeFalse();
        all[1].EndClaim(3);

        await waiting.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public void Nobody_waits_for_one_that_is_full_and_it_has_no_claim_to_what_it_missed()
    {
        var all = New(null, o => o.Weight = 10);
        all[1].BeginClaim(5);
        Take(all[0], 1);
        IsAhead(all[0]).ShouldBeTrue();

        all[1].EndClaim(5);

        IsAhead(all[0]).ShouldBeFalse();
        all[0].BeginClaim(100).ShouldBe(100);
        all[0].EndClaim(100);
        all[1].BeginClaim(5);
        IsAhead(all[0]).ShouldBeFalse();
    }

    [Fact]
    public async Task Nobody_waits_for_one_that_pauses()
    {
        var all = New(null, o => o.Weight = 10);
        all[1].BeginClaim(5);
        Take(all[0], 1);
        IsAhead(all[0]).ShouldBeTrue();

        var pace = all[1].Server;
        pace.Refused(await pace.EnterAsync(TimeSpan.MaxValue, null, default), TimeSpan.FromMinutes(1), isThrottled: true, "429", 0.5);

        IsAhead(all[0]).ShouldBeFalse();
    }

    [Fact]
    public void Nobody_waits_for_one_that_does_not_look_for_tasks()
    {
        var all = New(null, o => o.Weight = 10);
        all[1].BeginClaim(5);
        Take(all[0], 1);
        IsAhead(all[0]).ShouldBeTrue();

        _time.Advance(TimeSpan.FromSeconds(3));

        IsAhead(all[0]).ShouldBeFalse();
    }

    [Fact]
    public void Nobody_waits_for_one_that_puts_tasks_back_or_has_no_free_slot()
    {
        var all = New(null, o => o.Weight = 10);
        all[1].BeginClaim(5);
        Take(all[0], 1);
        IsAhead(all[0]).ShouldBeTrue();

        all[1].Defers();
        IsAhead(all[0]).ShouldBeFalse();
        _time.Advance(TimeSpan.FromSeconds(3));
        all[1].BeginClaim(5);
        IsAhead(all[0]).ShouldBeTrue();

        all[1].Fills();
        IsAhead(all[0]).ShouldBeFalse();
    }

    [Fact]
    public void A_claim_is_for_a_share_of_many_tasks()
    {
        var all = New(null, o => o.Weight = 3);
        all[0].BeginClaim(8).ShouldBe(8); // the other one takes nothing yet

        all[1].BeginClaim(8).ShouldBe(6);
        all[0].BeginClaim(8).ShouldBe(2);
        all[0].BeginClaim(1).ShouldBe(1);
    }

    [Fact]
    public void Equal_weights_other_tiers_and_fallbacks_change_nothing()
    {
        New(null, null).ShouldAllBe(u => u.Shares == null);
        New(o => o.Weight = 2, o => o.Weight = 2).ShouldAllBe(u => u.Shares == null);
        New(o => o.Weight = 2, o => o.IsFallback = true).ShouldAllBe(u => u.Shares == null);
        New(o => o.Weight = 2, o => o.Tiers.Add(1)).ShouldAllBe(u => u.Shares == null);
        New(o => o.Weight = 2, o => o.Queues.Add("q")).ShouldAllBe(u => u.Shares == null);
        var equal = New(null, null);
        Take(equal[0], 5);
        (equal[0].ReadyAsync(default).IsCompleted, equal[0].BeginClaim(7)).ShouldBe((true, 7));
    }

    private static void Take(Upstream upstream, int tasks)
    {
        upstream.BeginClaim(10);
        upstream.EndClaim(tasks);
    }

    private static bool IsAhead(Upstream upstream) => upstream.Shares!.IsAhead(upstream, out _);

    private List<Upstream> New(params Action<UpstreamOptions>?[] changes)
    {
        var options = changes.Select((change, i) =>
        {
            var one = new UpstreamOptions { Endpoint = "/v1/x", BaseUrl = $"http://h{i}" };
            change?.Invoke(one);
            return one;
        }).ToList();
        var all = options.ConvertAll(o => new Upstream(o, options, _time));
        Upstream.Link(all, _time);
        return all;
    }
}
