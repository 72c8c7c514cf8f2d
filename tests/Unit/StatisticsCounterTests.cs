using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Shouldly;
using TaskQueue.Engine.Statistics;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>What is counted in memory.</summary>
public sealed class StatisticsCounterTests
{
    private static readonly DateTime At = new(2031, 2, 3, 4, 5, 6, DateTimeKind.Utc);

    [Fact]
    public void A_time_is_in_the_first_bucket_whose_bound_it_does_not_exceed()
    {
        for (var ms = 0.0; ms < 20_000; ms += 0.7)
        {
            var bucket = RunTimes.BucketOf(TimeSpan.FromMilliseconds(ms));
            var time = TimeSpan.FromMilliseconds(ms).TotalSeconds;
            time.ShouldBeLessThanOrEqualTo(RunTimes.UpperBound(bucket));
            if (bucket > 0)
                time.ShouldBeGreaterThan(RunTimes.UpperBound(bucket - 1));
        }

        for (var bucket = 0; bucket < RunTimes.Buckets - 1; bucket++)
            RunTimes.BucketOf(TimeSpan.FromSeconds(RunTimes.UpperBound(bucket))).ShouldBe(bucket);
        RunTimes.BucketOf(TimeSpan.FromDays(10)).ShouldBe(RunTimes.Buckets - 1);
        RunTimes.BucketOf(TimeSpan.FromSeconds(-1)).ShouldBe(0);
    }

    [Fact]
    public void Counts_are_by_queue_owner_and_minute_and_what_was_not_written_is_added_to_what_follows()
    {
        var counter = Counter(1000);
        Count(counter, ("q", null, At), ("q", "a", At), ("q", null, At.AddSeconds(30)), ("q", null, At.AddSeconds(60)));
        var taken = counter.Take();
        taken.Select(t => (t.Queue, t.Owner, t.Minute.Minute, t.Counts[StatisticsCounts.Submitted])).ShouldBe(
            [("q", "", 5, 2), ("q", "a", 5, 1), ("q", "", 6, 1)], ignoreOrder: true);
        counter.Take().ShouldBeEmpty();

        Count(counter, ("q", null, At));
        counter.PutBack(taken);

        counter.Take().Select(t => (t.Owner, t.Minute.Minute, t.Counts[StatisticsCounts.Submitted]))
            .ShouldBe([("", 5, 3), ("a", 5, 1), ("", 6, 1)], ignoreOrder: true);
    }

    [Fact]
    public void Further_owners_are_counted_without_their_name_and_further_queues_not_at_all_until_the_next_minute()
    {
        var counter = Counter(10);
        Count(counter, [.. Enumerable.Range(0, 15).Select(n => ("q", (string?)$"o{n}", At))]);
        var taken = counter.Take();
        taken.Count.ShouldBe(11);
        taken.Single(t => t.Owner.Length == 0).Counts[StatisticsCounts.Submitted].ShouldBe(5);

        Count(counter, [.. Enumerable.Range(0, 30).Select(n => ($"q{n}", (string?)null, At))]);
        counter.Take().Count.ShouldBe(9); // with q, which was counted without an owner
        Count(counter, [.. Enumerable.Range(0, 5).Select(n => ($"q{n}", (string?)null, At.AddMinutes(1)))]);
        counter.Take().Count.ShouldBe(5);
    }

    [Fact]
    public void An_owner_of_many_queues_leaves_room_for_others_and_its_further_queues_are_counted_together()
    {
        var counter = Counter(300);
        Count(counter, [.. Enumerable.Range(0, 1000).Select(n => ($"q{n}", (string?)"a", At))]);
        Count(counter, ("q1", "a", At), ("q2", "b", At));

        var taken = counter.Take();
        taken.Count.ShouldBe(102);
        taken.Single(t => t.Queue.Length == 0).Counts[StatisticsCounts.Submitted].ShouldBe(900);
        taken.Single(t => t is { Queue: "q1", Owner: "a" }).Counts[StatisticsCounts.Submitted].ShouldBe(2);
        taken.ShouldContain(t => t.Queue == "q2" && t.Owner == "b");
    }

    [Fact]
    public void While_the_database_is_away_memory_is_bounded_and_the_newest_minutes_stay()
    {
        var counter = Counter(10);
        for (var minute = 0; minute < 200; minute++)
        {
            Count(counter, ("q", null, At.AddMinutes(minute)));
            counter.PutBack(counter.Take());
        }

        var kept = counter.Take();
        kept.Count.ShouldBeLessThanOrEqualTo(101);
        kept.Max(k => k.Minute).ShouldBe(At.AddMinutes(199).AddSeconds(-6));
    }

    [Fact]
    public void Counting_allocates_nothing_per_task()
    {
        var counter = Counter(1000);
        Run(10);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Run(10_000);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(2000);

        void Run(int times)
        {
            using var group = counter.Begin();
            for (var i = 0; i < times; i++)
            {
                group.Add("q", "a", StatisticsCounts.Completed, At);
                group.AddRun("q", "a", At, TimeSpan.FromMilliseconds(i));
            }
        }
    }

    private static StatisticsCounter Counter(int max) =>
        new(Options.Create(new StatisticsOptions { MaxSeries = max }), NullLogger<StatisticsCounter>.Instance);

    private static void Count(StatisticsCounter counter, params (string Queue, string? Owner, DateTime At)[] tasks)
    {
        using var group = counter.Begin();
        foreach (var (queue, owner, at) in tasks)
            group.Add(queue, owner, StatisticsCounts.Submitted, at);
    }
}
