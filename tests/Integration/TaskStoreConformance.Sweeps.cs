using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

public abstract partial class TaskStoreConformance
{
    [Theory]
    [InlineData(Sweep.Dispatch)]
    [InlineData(Sweep.ExpiredLease)]
    [InlineData(Sweep.Expired)]
    public async Task A_sweep_finds_overdue_tasks_longest_overdue_first(Sweep sweep)
    {
        var overdue = new[] { Overdue(sweep, T0.AddMicroseconds(-2)), Overdue(sweep, T0.AddMicroseconds(-1)), Overdue(sweep, T0) };
        await Store.GivenAsync(Database, [Overdue(sweep, T0.AddMicroseconds(1)), .. overdue.Reverse(), .. NotFor(sweep)]);

        (await Store.SelectAsync(sweep, T0, 100)).ShouldBe(overdue.Select(t => t.CorrelationId));
        (await Store.SelectAsync(sweep, T0, 2)).ShouldBe(overdue[..2].Select(t => t.CorrelationId));
        (await Store.NextAsync(sweep, T0, TimeSpan.FromSeconds(1))).ShouldBe(T0.AddMicroseconds(-2));
    }

    [Theory]
    [InlineData(Sweep.Dispatch)]
    [InlineData(Sweep.ExpiredLease)]
    [InlineData(Sweep.Expired)]
    public async Task A_sweep_without_future_work_has_no_next_time(Sweep sweep)
    {
        await Store.GivenAsync(Database, [.. NotFor(sweep)]);

        (await Store.SelectAsync(sweep, T0.AddDays(1), 100)).ShouldBeEmpty();
        (await Store.NextAsync(sweep, T0, TimeSpan.FromSeconds(1))).ShouldBeNull();
    }

    [Theory]
    [InlineData(Sweep.Dispatch)]
    [InlineData(Sweep.ExpiredLease)]
    [InlineData(Sweep.Expired)]
    public async Task A_sweep_finds_what_another_process_wrote_with_an_earlier_time(Sweep sweep)
    {
        (await Store.NextAsync(sweep, T0, TimeSpan.FromSeconds(1))).ShouldBeNull();
        var early = Overdue(sweep, T0.AddMinutes(-1));
        await Store.GivenAsync(Database, early);

        var at = T0.AddSeconds(2);
        (await Store.NextAsync(sweep, at, TimeSpan.FromSeconds(1))).ShouldBe(T0.AddMinutes(-1));
        (await Store.SelectAsync(sweep, at, 100)).ShouldBe([early.CorrelationId]);
    }

    [Fact]
    public async Task A_dispatched_task_without_a_start_is_dispatched_again_when_due()
    {
        var sent = New(change: t => (t.Push, t.DispatchAt) = (true, T0.AddHours(1)));
        var future = New(change: t => (t.Push, t.DueAt, t.DispatchAt) = (true, T0.AddHours(2), T0.AddHours(2)));
        var running = New(change: t => (t.Push, t.State) = (true, TaskStates.Running));
        await Store.GivenAsync(Database, sent, future, running);

        await Store.RedispatchAllAsync(Later);

        (await Database.GetAsync(sent.CorrelationId)).DispatchAt.ShouldBe(Later);
        (await Database.GetAsync(future.CorrelationId)).DispatchAt.ShouldBe(T0.AddHours(2));
        (await Database.GetAsync(running.CorrelationId)).DispatchAt.ShouldBeNull();
    }

    [Fact]
    public async Task When_the_clock_was_set_leases_start_over()
    {
        var expired = Leased(T0.AddHours(-1));
        var endless = Leased(T0.AddHours(1));
        var valid = Leased(T0.AddSeconds(7));
        var unlimited = New(change: t =>
            (t.State, t.LeaseMs, t.LeaseUntil, t.ExpiresAt) = (TaskStates.Running, 10_000, T0.AddHours(2), T0.AddHours(2)));
        await Store.GivenAsync(Database, expired, endless, valid, unlimited);

        await Store.FollowClockAsync(T0);

        foreach (var task in new[] { expired, endless })
            (await Database.GetAsync(task.CorrelationId)).LeaseUntil.ShouldBe(T0.AddSeconds(10));
        (await Database.GetAsync(valid.CorrelationId)).LeaseUntil.ShouldBe(T0.AddSeconds(7));
        (await Database.GetAsync(unlimited.CorrelationId)).LeaseUntil.ShouldBe(T0.AddHours(2));

        static TaskState Leased(DateTime until) =>
            New(change: t => (t.State, t.LeaseMs, t.LeaseUntil) = (TaskStates.Running, 10_000, until));
    }

    [Fact]
    public async Task When_the_clock_was_set_back_tasks_wait_no_longer_than_before_and_scheduled_ones_not_shorter()
    {
        var now = T0.AddHours(-1);
        var immediate = New();
        var pushed = New(change: t => (t.Push, t.DispatchAt) = (true, T0.AddMinutes(10)));
        var scheduled = New(change: t => t.DueAt = T0.AddMinutes(10));
        var scheduledBefore = New(change: t => (t.CreatedAt, t.DueAt) = (now.AddHours(-1), T0.AddMinutes(-10)));
        var retrying = New(change: t => (t.State, t.CreatedAt, t.StartedAt, t.DueAt) =
            (TaskStates.Retrying, now.AddHours(-1), T0, T0.AddSeconds(10)));
        var returned = New(change: t => (t.State, t.CreatedAt, t.StartedAt, t.DueAt) =
            (TaskStates.Retrying, T0.AddSeconds(-2), T0, T0.AddSeconds(-1)));
        var due = New(change: t => (t.CreatedAt, t.DueAt) = (now.AddSeconds(-1), now.AddSeconds(-1)));
        await Store.GivenAsync(Database, immediate, pushed, scheduled, scheduledBefore, retrying, returned, due);

        for (var i = 0; i < 2; i++)
        {
            await Store.FollowClockAsync(now);

            (await DueAsync(immediate)).ShouldBe(now);
            (await DueAsync(pushed)).ShouldBe(now);
            (await Database.GetAsync(pushed.CorrelationId)).DispatchAt.ShouldBe(now);
            (await DueAsync(scheduled)).ShouldBe(scheduled.DueAt);
            (await DueAsync(scheduledBefore)).ShouldBe(scheduledBefore.DueAt);
            (await DueAsync(retrying)).ShouldBe(now.AddSeconds(10));
            (await Database.GetAsync(retrying.CorrelationId)).StartedAt.ShouldBe(now);
            (await DueAsync(returned)).ShouldBe(now);
            (await DueAsync(due)).ShouldBe(due.DueAt);
        }

        async Task<DateTime> DueAsync(TaskState task) => (await Database.GetAsync(task.CorrelationId)).DueAt;
    }

    private static TaskState Overdue(Sweep sweep, DateTime since) => New(change: t =>
    {
        if (sweep == Sweep.Dispatch)
            (t.Push, t.DispatchAt) = (true, since);
        else if (sweep == Sweep.ExpiredLease)
            (t.State, t.LeaseUntil) = (TaskStates.Running, since);
        else
            (t.State, t.ExpiresAt) = (TaskStates.Retrying, since);
    });

    /// <summary>Tasks that the sweep never touches.</summary>
    private static IEnumerable<TaskState> NotFor(Sweep sweep)
    {
        var other = sweep switch
        {
            Sweep.Dispatch => New(),
            Sweep.ExpiredLease => New(change: t => t.ExpiresAt = T0.AddHours(-1)),
            _ => New(change: t => (t.State, t.LeaseUntil, t.ExpiresAt) = (TaskStates.Running, T0.AddHours(-1), T0.AddHours(-1))),
        };
        return TaskStates.All.Where(TaskStates.IsTerminal)
            .Select(state => New(change: t => (t.State, t.ExpiresAt) = (state, T0.AddHours(-1)))).Append(other);
    }
}
