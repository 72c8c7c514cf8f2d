using Shouldly;
using TaskQueue.Engine.Scaling;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>How many slots a queue needs, based on readings.</summary>
public sealed class SlotDemandTests
{
    private static readonly SlotLimits None = new();

    [Fact]
    public void An_unknown_queue_needs_no_slots() => Of(Look(0)).Slots.ShouldBe(0);

    [Fact]
    public void Scheduled_and_blocked_tasks_need_no_slot() => Of(Look(0) with { Later = 100, Blocked = 5 }).Slots.ShouldBe(0);

    [Theory]
    [InlineData(3, 0, 3)]
    [InlineData(0, 7, 7)]
    [InlineData(2, 5, 7)]
    [InlineData(0, 5000, 10)]
    [InlineData(2, 5000, 12)]
    [InlineData(100, 5000, 200)]
    public void Without_a_known_rate_each_due_task_needs_a_slot_but_slots_only_double(int running, int due, int slots)
    {
        var demand = Of(Look(0, running, due, age: 1));
        demand.Slots.ShouldBe(slots);
        (demand.FinishedPerSecond, demand.ArrivedPerSecond, demand.RunSeconds).ShouldBe((null, null, null));
        Of(Look(0, running, due, age: 1), Look(0.5, running, due, finished: 3, age: 1))
            .Slots.ShouldBe(slots, "half a second is too short for a rate");
        Of(Look(0, running, due, age: 500), Look(60, running, due, age: 560)).Slots.ShouldBe(slots, "nothing has finished");
    }

    [Fact]
    public void A_balanced_queue_keeps_its_slots()
    {
        var demand = Of([.. Enumerable.Range(0, 13).Select(i => Look(5 * i, running: 10, finished: 100 * i))]);
        demand.Slots.ShouldBe(10);
        demand.FinishedPerSecond!.Value.ShouldBe(20, 0.001);
        demand.ArrivedPerSecond!.Value.ShouldBe(20, 0.001);
        demand.RunSeconds!.Value.ShouldBe(0.5, 0.001);
    }

    [Fact]
    public void Arrivals_faster_than_completions_need_more_slots()
    {
        // 10 a second finish with 10 slots, 20 a second arrive.
        var demand = Of([.. Enumerable.Range(0, 13).Select(i => Look(5 * i, running: 10, due: 50 * i, finished: 50 * i, age: 2.5 * i))]);
        demand.ArrivedPerSecond!.Value.ShouldBe(20, 0.001);
        demand.Slots.ShouldBeInRange(20, 40);
    }

    [Fact]
    public void A_young_quickly_draining_burst_asks_for_few_slots_and_never_for_its_depth()
    {
        // 400 a second with 4 slots: ten thousand are done in 25 seconds.
        Of(Look(0, running: 4), Look(5, running: 4, due: 10_000, finished: 2000, age: 1)).Slots.ShouldBeInRange(4, 10);
        // A second each: within 30 seconds it takes 333 slots.
        Of(Look(0, running: 4), Look(5, running: 4, due: 10_000, finished: 20, age: 1)).Slots.ShouldBeInRange(300, 350);
    }

    [Fact]
    public void The_older_the_oldest_task_the_more_slots_are_needed()
    {
        int SlotsAt(double age) =>
            Of(Look(0, running: 2, due: 10, age: age - 60), Look(60, running: 2, due: 10, finished: 2, age: age)).Slots;

        SlotsAt(60).ShouldBeGreaterThan(2);
        SlotsAt(90).ShouldBeGreaterThan(SlotsAt(60));
        SlotsAt(10_000).ShouldBe(12, "no more than runs and is due");
    }

    [Fact]
    public void A_few_old_low_priority_tasks_do_not_need_many_slots()
    {
        // 100 a second flow past five that are never taken.
        Of(Look(0, running: 10, due: 5, age: 3540), Look(60, running: 10, due: 5, finished: 6000, age: 3600)).Slots.ShouldBeInRange(10, 11);
    }

    [Fact]
    public void Slots_of_running_tasks_are_never_removed()
    {
        // The end of a batch of long tasks: half have finished, none arrives.
        Of(Look(0, running: 100), Look(60, running: 50, finished: 50)).Slots.ShouldBe(50);
    }

    [Fact]
    public void Quick_tasks_never_seen_running_keep_a_slot_until_none_arrives_for_a_while()
    {
        Of(Look(0), Look(30, finished: 3000), Look(60, finished: 6000)).Slots.ShouldBe(1);
        Of(Look(60, finished: 6000), Look(120, finished: 6000)).Slots.ShouldBe(0);
    }

    [Fact]
    public void Tasks_too_quick_to_be_seen_running_need_more_slots_the_longer_the_oldest_waits()
    {
        int SlotsAt(double age) => Of(Look(0, due: 5000), Look(60, due: 5000, finished: 6000, age: age)).Slots;

        SlotsAt(20).ShouldBe(1, "in time");
        SlotsAt(60).ShouldBe(20);
        SlotsAt(300).ShouldBe(100);
    }

    [Fact]
    public void Queue_limits_bound_the_slots()
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
    public void A_shorter_wait_target_needs_more_slots()
    {
        Load[] looks = [Look(0, running: 4, due: 1000, age: 100), Look(60, running: 4, due: 1000, finished: 240, age: 160)];
        SlotDemand.Of(looks, 10, None).Slots.ShouldBeGreaterThan(SlotDemand.Of(looks, 30, None).Slots);
        SlotDemand.Of(looks, 3600, None).Slots.ShouldBe(5);
    }

    [Fact]
    public void A_purge_resets_the_counts_and_the_rates()
    {
        var demand = Of(Look(0, running: 5, finished: 1000), Look(30, running: 5, finished: 1300), Look(35, running: 5, due: 5),
            Look(45, running: 5, due: 5, finished: 10));
        demand.FinishedPerSecond!.Value.ShouldBe(1, 0.001);
        demand.RunSeconds!.Value.ShouldBe(5, 0.001);
        Of(Look(0, finished: 1000), Look(30, running: 5, due: 5)).FinishedPerSecond.ShouldBeNull();
    }

    [Fact]
    public void Failed_attempts_count_towards_a_tasks_run_time()
    {
        // Each task runs three times for two seconds; the retries wait in between.
        Of(Look(0, running: 6) with { Later = 9 }, Look(60, running: 6, finished: 60) with { Later = 9 })
            .RunSeconds!.Value.ShouldBe(6, 0.001);
    }

    private static Load Look(double at, int running = 0, int due = 0, long finished = 0, double age = 0) =>
        new(at, due, 0, 0, running, finished, age);

    private static SlotDemand Of(params Load[] looks) => SlotDemand.Of(looks, 30, None);
}
