using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class RetryBackoffTests
{
    private static readonly Guid Id = new("1c8f1a6e-52a4-4d0b-9f0e-2f6f9d4f8a11");

    [Theory]
    [InlineData(1, 1.5)]
    [InlineData(2, 0)]
    [InlineData(3, 20)]
    [InlineData(4, 20)]
    [InlineData(100, 20)]
    public void Intervals_apply_in_order_and_the_last_one_repeats(int failure, double seconds) =>
        After(new RetryPolicy { Intervals = [1.5, 0, 20], FirstSeconds = 99, Jitter = 1 }, failure).ShouldBe(TimeSpan.FromSeconds(seconds));

    [Fact]
    public void Without_an_interval_retries_are_immediate() => After(new RetryPolicy { Intervals = [] }, 1).ShouldBe(TimeSpan.Zero);

    [Theory]
    [InlineData(1, 0.5)]
    [InlineData(2, 1.5)]
    [InlineData(3, 4.5)]
    [InlineData(4, 10)]
    [InlineData(100, 10)]
    public void Exponential_waits_grow_by_the_factor_up_to_the_cap(int failure, double seconds) =>
        After(new RetryPolicy { FirstSeconds = 0.5, Factor = 3, CapSeconds = 10 }, failure).ShouldBe(TimeSpan.FromSeconds(seconds));

    [Fact]
    public void A_factor_of_one_waits_the_same_each_time() =>
        Enumerable.Range(1, 9).Select(n => After(new RetryPolicy { FirstSeconds = 7, Factor = 1 }, n))
            .ShouldAllBe(w => w == TimeSpan.FromSeconds(7));

    [Fact]
    public void Jitter_varies_a_delay_by_its_share_and_differs_per_failure_and_task()
    {
        var policy = new RetryPolicy { FirstSeconds = 100, Factor = 1, CapSeconds = 1000, Jitter = 0.25 };
        var waits = Enumerable.Range(1, 50).Select(n => After(policy, n).TotalSeconds)
            .Concat(Enumerable.Range(0, 150).Select(_ => RetryBackoff.After(RetryBackoff.ToText(policy), 1, Guid.NewGuid()).TotalSeconds))
            .ToList();

        waits.ShouldAllBe(w => w >= 75 && w <= 125);
        waits.Distinct().Count().ShouldBeGreaterThan(100);
        (waits.Min() < 85 && waits.Max() > 115).ShouldBeTrue();
    }

    [Fact]
    public void Jitter_never_exceeds_the_cap() =>
        Enumerable.Range(1, 50).Select(n => After(new RetryPolicy { FirstSeconds = 10, CapSeconds = 10, Jitter = 1 }, n))
            .ShouldAllBe(w => w <= TimeSpan.FromSeconds(10) && w >= TimeSpan.Zero);

    [Fact]
    public void The_same_failure_of_the_same_task_has_the_same_delay()
    {
        var policy = new RetryPolicy { Jitter = 1 };

        for (var failure = 1; failure <= 20; failure++)
            After(policy, failure).ShouldBe(After(policy, failure));
    }

    [Fact]
    public void A_policy_round_trips_through_its_text()
    {
        RetryPolicy[] policies = [new() { Intervals = [0.25, 3] },
            new() { FirstSeconds = 0.1, Factor = 1.5, CapSeconds = 12.5, Jitter = 0.75 }, new() { Factor = 3 }];

        foreach (var policy in policies)
        {
            var text = RetryBackoff.ToText(policy).ShouldNotBeNull();
            RetryBackoff.ToText(System.Text.Json.JsonSerializer.Deserialize<RetryPolicy>(text)).ShouldBe(text);
            RetryBackoff.After(text, 2, Id).ShouldBe(After(policy, 2));
        }
    }

    [Fact]
    public void The_default_policy_has_no_text_and_an_explicit_one_has_text_even_if_equal()
    {
        RetryBackoff.ToText(null).ShouldBeNull();
        RetryBackoff.ToText(new RetryPolicy()).ShouldNotBeNull();
        RetryBackoff.ToText(new RetryPolicy { Intervals = [] }).ShouldNotBeNull();
    }

    [Fact]
    public void A_policy_with_everything_at_its_limit_is_allowed()
    {
        const int Month = 30 * 24 * 3600;
        RetryBackoff.Check(null).ShouldBeNull();
        RetryBackoff.Check(new RetryPolicy { Intervals = [.. Enumerable.Repeat((double)Month, 100)] }).ShouldBeNull();
        RetryBackoff.Check(new RetryPolicy { FirstSeconds = Month, Factor = 100, CapSeconds = Month, Jitter = 1 }).ShouldBeNull();
        RetryBackoff.Check(new RetryPolicy { FirstSeconds = 0, Factor = 1, CapSeconds = 0, Jitter = 0 }).ShouldBeNull();
    }

    [Fact]
    public void A_policy_beyond_its_limits_is_named()
    {
        Problem(new() { Intervals = [.. Enumerable.Repeat(1.0, 101)] }).ShouldStartWith("retry intervals must be");
        Problem(new() { Intervals = [-0.1] }).ShouldStartWith("retry intervals must be");
        Problem(new() { Intervals = [double.NaN] }).ShouldStartWith("retry intervals must be");
        Problem(new() { Intervals = [(30 * 24 * 3600) + 1] }).ShouldStartWith("retry intervals must be");
        Problem(new() { FirstSeconds = -1 }).ShouldStartWith("retry first and cap must be");
        Problem(new() { FirstSeconds = double.PositiveInfinity }).ShouldStartWith("retry first and cap must be");
        Problem(new() { CapSeconds = double.NaN }).ShouldStartWith("retry first and cap must be");
        Problem(new() { Factor = 0.99 }).ShouldStartWith("retry factor must be");
        Problem(new() { Factor = 101 }).ShouldStartWith("retry factor must be");
        Problem(new() { Factor = double.NaN }).ShouldStartWith("retry factor must be");
        Problem(new() { Jitter = 1.01 }).ShouldStartWith("retry jitter must be");
        Problem(new() { Jitter = double.NaN }).ShouldStartWith("retry jitter must be");
    }

    private static TimeSpan After(RetryPolicy policy, int failure) => RetryBackoff.After(RetryBackoff.ToText(policy), failure, Id);

    private static string Problem(RetryPolicy policy) => RetryBackoff.Check(policy).ShouldNotBeNull();
}
