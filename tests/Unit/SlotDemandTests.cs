using Shouldly;
using TaskQueue.Engine.Scaling;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>How many slots a queue needs, by what was seen of it.</summary>
public sealed class SlotDemandTests
{
    private static readonly SlotLimits None = new();

    [Fact]
    public void A_queue_that_nobody_knows_needs_nothing() => Of(Look(0)).Slots.ShouldBe(0);

    [Fact]
    public void Nothing_that_is_only_for_later_or_held_needs_a_slot() => Of(Look(0) with { Later = 100, Blocked = 5 }).Slots.ShouldBe(0);

    [Theory]
    [InlineData(3, 0, 3)]
    [InlineData(0, 7, 7)]
    [InlineData(2, 5, 7)]
    [InlineData(0, 5000, 10)]
    [InlineData(2, 5000, 12)]
    [InlineData(100, 5000, 200)]
    public void As_long_as_no_rate_is_known_each_due_task_wants_a_slot_but_they_only_double(int running, int due, int slots)
    {
        var demand = Of(Look(0, running, due, age: 1));
        demand.Slots.ShouldBe(slots);
        (demand.FinishedPerSecond, demand.ArrivedPerSecond, demand.RunSeconds).ShouldBe((null, null, null));
        Of(Look(0, running, due, age: 1), Look(0.5, running, due, finished: 3, age: 1))
            .Slots.ShouldBe(slots, "half a second is too short for a rate");
        Of(Look(0, running, due, age: 500), Look(60, running, due, age: 560)).Slots.ShouldBe(slots, "nothing has finished");
    }

    [Fact]
    public void In_balance_a_queue_keeps_what_it_has()
    {
        var demand = Of([.. Enumerable.Range(0, 13).Select(i => Look(5 * i, running: 10, finished: 100 * i))]);
        demand.Slots.ShouldBe(10);
        demand.FinishedPerSecond!.Value.ShouldBe(20, 0.001);
        demand.ArrivedPerSecond!.Value.ShouldBe(20, 0.001);
        demand.RunSeconds!.Value.ShouldBe(0.5, 0.001);
    }

    [Fact]
    public void What_comes_faster_than_it_finishes_needs_more()
    {
        // 10 a second finish with 10 slots, 20 a second come.
        var demand = Of([.. Enumerable.Range(0, 13).Select(i => Look(5 * i, running: 10, due: 50 * i, finished: 50 * i, age: 2.5 * i))]);
        demand.ArrivedPerSecond!.Value.ShouldBe(20, 0.001);
        demand.Slots.ShouldBeInRange(20, 40);
    }

    [Fact]
    public void A_young_burst_that_flows_quickly_asks_for_little_and_never_for_its_depth()
    {
        // 400 a second with 4 slots: ten thousand are through in 25 seconds.
        Of(Look(0, running: 4), Look(5, running: 4, due: 10_000, finished: 2000, age: 1)).Slots.ShouldBeInRange(4, 10);
        // A second each: within 30 seconds it takes 333 slots.
        Of(Look(0, running: 4), Look(5, running: 4, due: 10_000, finished: 20, age: 1)).Slots.ShouldBeInRange(300, 350);
    }

    [Fact]
    public void Old_tasks_ask_for_more_than_there_is_and_the_older_the_more()
    {
        int SlotsAt(double age) =>
            Of(Look(0, running: 2, due: 10, age: age - 60), Look(60, running: 2, due: 10, finished: 2, age: age)).Slots;

        SlotsAt(60).ShouldBeGreaterThan(2);
        SlotsAt(90).ShouldBeGreaterThan(SlotsAt(60));
        SlotsAt(10_000).ShouldBe(12, "no more than runs and is due");
    }

    [Fact]
    public void A_few_old_tasks_of_low_priority_do_not_ask_for_a_crowd()
    {
        // 100 a second flow past five that nobody takes up.
        Of(Look(0, running: 10, due: 5, age: 3540), Look(60, running: 10, due: 5, finished: 6000, age: 3600)).Slots.ShouldBeInRange(10, 11);
    }

    [Fact]
    public void What_runs_is_never_asked_away()
    {
        // The end of a batch of long tasks: half have finished, nothing comes.
        Of(Look(0, running: 100), Look(60, running: 50, finished: 50)).Slots.ShouldBe(50);
    }

    [Fact]
    public void Quick_tasks_that_no_look_finds_keep_a_slot_until_none_has_come_for_a_while()
    {
        Of(Look(0), Look(30, finished: 3000), Look(60, finished: 6000)).Slots.ShouldBe(1);
        Of(Look(60, finished: 6000), Look(120, finished: 6000)).Slots.ShouldBe(0);
    }

    [Fact]
    public void Tasks_too_quick_to_be_seen_running_ask_for_more_the_longer_the_oldest_waits()
    {
        int SlotsAt(double age) => Of(Look(0, due: 5000), Look(60, due: 5000, finished: 6000, age: age)).Slots;

        SlotsAt(20).ShouldBe(1, "in time");
        SlotsAt(60).ShouldBe(20);
        SlotsAt(300).ShouldBe(100);
    }

    [Fact]
    public void Limits_of_the_queue_bound_it()
    {
        Load[] looks = [Look(0, running: 4, due: 1000, age: 100), Look(60, running: 4, due: 1000, finished: 240, age: 160)];
        SlotDemand.Of(looks, 30, None).Slots.ShouldBeGreaterThan(20);
        SlotDemand.Of(looks, 30, new(MaxRunning: 6)).Slots.ShouldBe(6);
        SlotDemand.Of(looks, 30, new(PerSecond: 5)).Slots.ShouldBe(5, "a task takes a second, and five a second may begin");
        SlotDemand.Of(looks, 30, new(Paused: true)).Slots.ShouldBe(4);
        SlotDemand.Of([Look(0, due: 10)], 30, new(Paused: true)).Slots.ShouldBe(0);
        SlotDemand.Of([Look(0, due: 10)], 30, new(MaxRunning: 6)).Slots.ShouldBe(6);
    }

    [Fact]
    public void Less_time_asks_for_more()
    {
        Load[] looks = [Look(0, running: 4, due: 1000, age: 100), Look(60, running: 4, due: 1000, finished: 240, age: 160)];
        SlotDemand.Of(looks, 10, None).Slots.ShouldBeGreaterThan(SlotDemand.Of(looks, 30, None).Slots);
        SlotDemand.Of(looks, 3600, None).Slots.ShouldBe(5);
    }

    [Fact]
    public void A_purge_sets_the_counts_back_and_rates_begin_anew()
    {
        var demand = Of(Look(0, running: 5, finished: 1000), Look(30, running: 5, finished: 1300), Look(35, running: 5, due: 5),
            Look(45, running: 5, due: 5, finished: 10));
        demand.FinishedPerSecond!.Value.ShouldBe(1, 0.001);
        demand.RunSeconds!.Value.ShouldBe(5, 0.001);
        Of(Look(0, finished: 1000), Look(30, running: 5, due: 5)).FinishedPerSecond.ShouldBeNull();
    }

    [Fact]
    public void Attempts_that_fail_and_come_again_count_as_time_of_a_task()
    {
        // Each task runs three times for two seconds; the repetitions wait in between.
        Of(Look(0, running: 6) with { Later = 9 }, Look(60, running: 6, finished: 60) with { Later = 9 })
            .RunSeconds!.Value.ShouldBe(6, 0.001);
    }

    private static Load Look(double at, int running = 0, int due = 0, long finished = 0, double age = 0) =>
        new(at, due, 0, 0, running, finished, age);

    private static SlotDemand Of(params Load[] looks) => SlotDemand.Of(looks, 30, None);
}
