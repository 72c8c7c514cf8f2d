using Shouldly;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>What a transition requires and what it writes.</summary>
public sealed class TaskTransitionTests(StateMachineFixture fixture) : IClassFixture<StateMachineFixture>
{
    private static readonly DateTime Now = T0.AddSeconds(30);

    [Theory]
    [InlineData(-1, CommandResult.NotAllowed)]
    [InlineData(0, CommandResult.Applied)]
    public async Task A_task_starts_when_it_is_due_and_not_before(int microseconds, CommandResult commandResult)
    {
        var task = await fixture.GivenAsync(TaskStates.Pending);

        (await SendAsync(new StartTask(task.CorrelationId, T0.AddMicroseconds(microseconds), 2, "x", 1000))).ShouldBe(commandResult);
    }

    [Theory]
    [InlineData(-1, CommandResult.Applied, CommandResult.NotAllowed)]
    [InlineData(0, CommandResult.NotAllowed, CommandResult.Applied)]
    public async Task At_its_expiry_a_task_expires_and_neither_starts_nor_is_dispatched(int microseconds, CommandResult start,
        CommandResult expire)
    {
        foreach (var state in new[] { TaskStates.Pending, TaskStates.Retrying })
        {
            var at = T0.AddHours(1).AddMicroseconds(microseconds);
            var tasks = new[] { await fixture.GivenAsync(state), await fixture.GivenAsync(state), await fixture.GivenAsync(state) };

            (await SendAsync(new StartTask(tasks[0].CorrelationId, at, 2, "x", 1000))).ShouldBe(start);
            (await SendAsync(new DispatchTask(tasks[1].CorrelationId, at))).ShouldBe(start);
            (await SendAsync(new ExpireTask(tasks[2].CorrelationId, at))).ShouldBe(expire);
        }
    }

    [Fact]
    public async Task A_task_without_an_expiry_does_not_expire()
    {
        var task = await fixture.GivenAsync(TaskStates.Pending, t => t.ExpiresAt = null);

        (await SendAsync(new ExpireTask(task.CorrelationId, DateTime.MaxValue))).ShouldBe(CommandResult.NotAllowed);
    }

    [Theory]
    [InlineData(TaskStates.Pending, 1, CommandResult.StaleAttempt)]
    [InlineData(TaskStates.Pending, 3, CommandResult.NotAllowed)]
    [InlineData(TaskStates.Retrying, 0, CommandResult.StaleAttempt)]
    [InlineData(TaskStates.Retrying, 3, CommandResult.NotAllowed)]
    [InlineData(TaskStates.Running, 0, CommandResult.StaleAttempt)]
    [InlineData(TaskStates.Running, 2, CommandResult.StaleAttempt)]
    public async Task Only_the_next_attempt_starts(int state, int attempt, CommandResult commandResult)
    {
        var task = await fixture.GivenAsync(state);

        (await SendAsync(new StartTask(task.CorrelationId, Now, attempt, "w", 1000))).ShouldBe(commandResult);
    }

    [Fact]
    public async Task A_start_repeated_by_its_worker_is_a_duplicate_and_one_by_another_worker_is_stale()
    {
        var task = await fixture.GivenAsync(TaskStates.Running);

        (await SendAsync(new StartTask(task.CorrelationId, Now, 1, "w", 1000))).ShouldBe(CommandResult.Duplicate);
        (await SendAsync(new StartTask(task.CorrelationId, Now, 1, "other", 1000))).ShouldBe(CommandResult.StaleAttempt);

        (await fixture.Database.GetAsync(task.CorrelationId)).Describe().ShouldBe(task.Describe());
    }

    [Theory]
    [InlineData(0, "w", CommandResult.StaleAttempt)]
    [InlineData(2, "w", CommandResult.StaleAttempt)]
    [InlineData(1, "other", CommandResult.StaleAttempt)]
    [InlineData(1, null, CommandResult.Applied)]
    public async Task Only_the_attempt_and_worker_that_hold_the_lease_are_accepted(int attempt, string? worker,
        CommandResult commandResult)
    {
        foreach (var command in new Func<Guid, TaskCommand>[]
        {
            id => new RenewLease(id, Now, attempt, worker),
            id => new CompleteTask(id, Now, attempt, worker, "1"),
            id => new FailTask(id, Now, attempt, worker, "broken", retryable: true),
        })
        {
            var task = await fixture.GivenAsync(TaskStates.Running);
            (await SendAsync(command(task.CorrelationId))).ShouldBe(commandResult);
            if (commandResult != CommandResult.Applied)
                (await fixture.Database.GetAsync(task.CorrelationId)).Describe().ShouldBe(task.Describe());
        }
    }

    [Theory]
    [InlineData(1, "w", CommandResult.Duplicate)]
    [InlineData(1, null, CommandResult.Duplicate)]
    [InlineData(1, "other", CommandResult.Finished)]
    [InlineData(0, "w", CommandResult.Finished)]
    public async Task An_outcome_repeated_by_its_attempt_is_a_duplicate(int attempt, string? worker, CommandResult commandResult)
    {
        var completed = await fixture.GivenAsync(TaskStates.Completed);
        var failed = await fixture.GivenAsync(TaskStates.Failed);

        (await SendAsync(new CompleteTask(completed.CorrelationId, Now, attempt, worker, "3"))).ShouldBe(commandResult);
        (await SendAsync(new FailTask(failed.CorrelationId, Now, attempt, worker, "again", retryable: true))).ShouldBe(commandResult);

        (await fixture.Database.GetAsync(completed.CorrelationId)).Describe().ShouldBe(completed.Describe());
        (await fixture.Database.GetAsync(failed.CorrelationId)).Describe().ShouldBe(failed.Describe());
    }

    [Theory]
    [InlineData(-1, CommandResult.NotAllowed)]
    [InlineData(0, CommandResult.Applied)]
    public async Task A_lease_expires_at_its_end_and_not_before(int microseconds, CommandResult commandResult)
    {
        var task = await fixture.GivenAsync(TaskStates.Running);

        (await SendAsync(new ExpireLease(task.CorrelationId, T0.AddMinutes(1).AddMicroseconds(microseconds)))).ShouldBe(commandResult);
    }

    [Theory]
    [InlineData(-1, CommandResult.NotAllowed)]
    [InlineData(0, CommandResult.Applied)]
    public async Task A_push_task_is_dispatched_when_due_and_not_before(int microseconds, CommandResult commandResult)
    {
        var task = await fixture.GivenAsync(TaskStates.Pending);

        (await SendAsync(new DispatchTask(task.CorrelationId, T0.AddMicroseconds(microseconds)))).ShouldBe(commandResult);
    }

    [Fact]
    public async Task A_pull_task_is_never_dispatched()
    {
        var task = await fixture.GivenAsync(TaskStates.Pending, t => (t.Push, t.DispatchAt) = (false, null));

        (await SendAsync(new DispatchTask(task.CorrelationId, Now))).ShouldBe(CommandResult.NotAllowed);
    }

    [Fact]
    public async Task A_start_creates_an_attempt_with_a_lease()
    {
        var task = await fixture.GivenAsync(TaskStates.Retrying);

        await SendAsync(new StartTask(task.CorrelationId, Now, 2, "x", 1500));

        (task.State, task.Attempt, task.AttemptsLeft, task.Worker, task.LeaseMs) = (TaskStates.Running, 2, 1, "x", 1500);
        (task.LeaseUntil, task.StartedAt, task.DispatchAt) = (Now.AddMilliseconds(1500), Now, null);
        await ShouldBeAsync(task, (TaskEventType.Started, 2, null));
    }

    [Fact]
    public async Task A_heartbeat_renews_the_lease_by_its_length_or_a_new_one()
    {
        var task = await fixture.GivenAsync(TaskStates.Running);

        await SendAsync(new RenewLease(task.CorrelationId, Now, 1, "w"));
        (await fixture.Database.GetAsync(task.CorrelationId)).LeaseUntil.ShouldBe(Now.AddMinutes(1));
        await SendAsync(new RenewLease(task.CorrelationId, Now, 1, "w", leaseMs: 5000));

        (task.LeaseMs, task.LeaseUntil) = (5000, Now.AddSeconds(5));
        await ShouldBeAsync(task);
    }

    [Fact]
    public async Task A_completion_keeps_the_result_and_clears_the_error()
    {
        var task = await fixture.GivenAsync(TaskStates.Running, t => t.Error = "of the attempt before");

        await SendAsync(new CompleteTask(task.CorrelationId, Now, 1, "w", """{"a":1}"""));

        (task.State, task.Result, task.Error, task.FinishedAt, task.LeaseUntil, task.DeleteAt) = (TaskStates.Completed,
            """{"a":1}""", null, Now, null, Now.AddDays(7));
        await ShouldBeAsync(task, (TaskEventType.Completed, 1, null));
    }

    [Fact]
    public async Task A_failure_with_attempts_left_waits_longer_each_time_and_then_ends_the_task()
    {
        var task = await fixture.GivenAsync(TaskStates.Running);
        await SendAsync(new FailTask(task.CorrelationId, Now, 1, "w", "one", retryable: true));
        (task.State, task.Error, task.LeaseUntil, task.DueAt, task.DispatchAt) = (TaskStates.Retrying, "one", null, Now.AddSeconds(2),
            Now.AddSeconds(2));
        await ShouldBeAsync(task, (TaskEventType.Retrying, 1, "one"));

        await StartAsync(task, 2, Now.AddSeconds(2));
        await SendAsync(new FailTask(task.CorrelationId, Now.AddSeconds(3), 2, "w", "two", retryable: true));
        (await fixture.Database.GetAsync(task.CorrelationId)).DueAt.ShouldBe(Now.AddSeconds(7));

        await StartAsync(task, 3, Now.AddSeconds(7));
        await SendAsync(new FailTask(task.CorrelationId, Now.AddSeconds(8), 3, "w", "three", retryable: true));
        var ended = await fixture.Database.GetAsync(task.CorrelationId);
        (ended.State, ended.Error, ended.Attempt, ended.AttemptsLeft, ended.FinishedAt)
            .ShouldBe((TaskStates.Failed, "three", 3, 0, Now.AddSeconds(8)));
        (await fixture.StepsAsync(task.CorrelationId)).Select(e => e.Type).ShouldBe(
            [TaskEventType.Retrying, TaskEventType.Started, TaskEventType.Retrying, TaskEventType.Started, TaskEventType.Failed]);
    }

    [Fact]
    public async Task An_expired_lease_is_retried_at_once_while_attempts_are_left()
    {
        var task = await fixture.GivenAsync(TaskStates.Running);
        var last = await fixture.GivenAsync(TaskStates.Running, t => t.AttemptsLeft = 0);
        var at = T0.AddMinutes(2);
        const string error = "lease of attempt 1 expired: no heartbeat for 60000 ms";

        await SendAsync(new ExpireLease(task.CorrelationId, at));
        await SendAsync(new ExpireLease(last.CorrelationId, at));

        (task.State, task.Error, task.LeaseUntil, task.DueAt, task.DispatchAt) = (TaskStates.Retrying, error, null, at, at);
        (last.State, last.Error, last.LeaseUntil, last.FinishedAt, last.DeleteAt, last.Dead) = (TaskStates.Failed, error, null, at,
            at.AddDays(7), true);
        await ShouldBeAsync(task, (TaskEventType.Retrying, 1, error));
        await ShouldBeAsync(last, (TaskEventType.Failed, 1, error));
    }

    [Theory]
    [InlineData(null, 3)]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    public async Task A_task_that_lost_as_many_workers_as_its_queue_permits_is_quarantined(int? maxCrashes, int crashes)
    {
        var queue = $"q{Guid.NewGuid():N}";
        await fixture.Engine.Queues.CreateAsync(queue, Delivery.Pull, new QueueSettings { MaxCrashes = maxCrashes });
        var task = await fixture.GivenAsync(TaskStates.Running, t => (t.Queue, t.AttemptsLeft, t.MaxAttempts) = (queue, 50, 51));
        for (var crash = 1; crash <= crashes; crash++)
        {
            var at = T0.AddMinutes(2 * crash);
            if (crash > 1)
                await StartAsync(task, crash, at.AddMinutes(-1));
            (await SendAsync(new ExpireLease(task.CorrelationId, at))).ShouldBe(CommandResult.Applied);
            (await fixture.Database.GetAsync(task.CorrelationId)).State.ShouldBe(crash < crashes ? TaskStates.Retrying : TaskStates.Failed);
        }

        var ended = await fixture.Database.GetAsync(task.CorrelationId);
        (ended.Error, ended.Dead, ended.AttemptsLeft).ShouldBe(
            ($"quarantined: {crashes} workers were lost while they ran it", true, 50 - crashes + 1));

        // A retry by hand starts the count anew.
        var again = T0.AddMinutes(20);
        (await SendAsync(new RetryTask(task.CorrelationId, again))).ShouldBe(CommandResult.Applied);
        await StartAsync(task, crashes + 1, again);
        await SendAsync(new ExpireLease(task.CorrelationId, again.AddMinutes(2)));
        (await fixture.Database.GetAsync(task.CorrelationId)).State.ShouldBe(crashes == 1 ? TaskStates.Failed : TaskStates.Retrying);
    }

    [Fact]
    public async Task A_snooze_by_the_worker_starts_the_count_of_crashes_anew()
    {
        var task = await fixture.GivenAsync(TaskStates.Running, t => (t.AttemptsLeft, t.MaxAttempts) = (50, 51));
        for (var crash = 1; crash <= 2; crash++)
        {
            await SendAsync(new ExpireLease(task.CorrelationId, T0.AddMinutes(2 * crash)));
            await StartAsync(task, crash + 1, T0.AddMinutes((2 * crash) + 1));
        }

        (await SendAsync(new SnoozeTask(task.CorrelationId, T0.AddMinutes(5.1), 3, "w", TimeSpan.Zero))).ShouldBe(CommandResult.Applied);
        await StartAsync(task, 4, T0.AddMinutes(7));
        await SendAsync(new ExpireLease(task.CorrelationId, T0.AddMinutes(9)));

        (await fixture.Database.GetAsync(task.CorrelationId)).State.ShouldBe(TaskStates.Retrying);
    }

    [Fact]
    public async Task Without_a_limit_and_by_errors_no_task_is_quarantined()
    {
        var queue = $"q{Guid.NewGuid():N}";
        await fixture.Engine.Queues.CreateAsync(queue, Delivery.Pull, new QueueSettings { MaxCrashes = 0 });
        var unlimited = await fixture.GivenAsync(TaskStates.Running, t => (t.Queue, t.AttemptsLeft) = (queue, 50));
        var failing = await fixture.GivenAsync(TaskStates.Running, t => t.AttemptsLeft = 50);
        for (var attempt = 1; attempt <= 6; attempt++)
        {
            var at = T0.AddMinutes(2 * attempt);
            if (attempt > 1)
            {
                await StartAsync(unlimited, attempt, at.AddMinutes(-1));
                await StartAsync(failing, attempt, at.AddMinutes(-1));
            }

            await SendAsync(new ExpireLease(unlimited.CorrelationId, at));
            await SendAsync(new FailTask(failing.CorrelationId, at.AddSeconds(-50), attempt, "w", "broken", retryable: true));
            (await fixture.Database.GetAsync(unlimited.CorrelationId)).State.ShouldBe(TaskStates.Retrying);
            (await fixture.Database.GetAsync(failing.CorrelationId)).State.ShouldBe(TaskStates.Retrying);
        }
    }

    [Fact]
    public async Task A_manual_retry_starts_a_new_run_and_attempt_numbers_never_decrease()
    {
        var task = await fixture.GivenAsync(TaskStates.Failed, t => (t.Attempt, t.AttemptsLeft) = (3, 0));

        await SendAsync(new RetryTask(task.CorrelationId, Now));

        (task.State, task.AttemptsLeft, task.Error, task.FinishedAt, task.ExpiresAt) = (TaskStates.Pending, 3, null, null, null);
        (task.DueAt, task.DispatchAt) = (Now, Now + TaskStateMachine.RedispatchAfter);
        await ShouldBeAsync(task, (TaskEventType.Submitted, 3, null));
        (await SendAsync(new StartTask(task.CorrelationId, Now, 1, "w", 1000))).ShouldBe(CommandResult.StaleAttempt);
        (await SendAsync(new StartTask(task.CorrelationId, Now, 4, "w", 1000))).ShouldBe(CommandResult.Applied);
        (await SendAsync(new CompleteTask(task.CorrelationId, Now, 3, "w", "1"))).ShouldBe(CommandResult.StaleAttempt);
        await SendAsync(new FailTask(task.CorrelationId, Now, 4, "w", "first of its run", retryable: true));
        (await fixture.Database.GetAsync(task.CorrelationId)).DueAt.ShouldBe(Now.AddSeconds(2));
    }

    [Fact]
    public async Task A_dispatch_without_a_start_is_repeated_after_doubling_delays()
    {
        var task = await fixture.GivenAsync(TaskStates.Pending, t => t.ExpiresAt = null);
        var first = T0 + TaskStateMachine.RedispatchAfter;

        await SendAsync(new DispatchTask(task.CorrelationId, T0));
        (await fixture.Database.GetAsync(task.CorrelationId)).DispatchAt.ShouldBe(first);
        await SendAsync(new DispatchTask(task.CorrelationId, first));
        (await fixture.Database.GetAsync(task.CorrelationId)).DispatchAt.ShouldBe(first + TaskStateMachine.RedispatchAfter);
        await SendAsync(new DispatchTask(task.CorrelationId, first + TaskStateMachine.RedispatchAfter));

        (await fixture.Database.GetAsync(task.CorrelationId)).DispatchAt.ShouldBe(first + (3 * TaskStateMachine.RedispatchAfter));
        (await fixture.StepsAsync(task.CorrelationId)).ShouldAllBe(e => e.Type == TaskEventType.Dispatched && e.Dispatch);
    }

    [Theory]
    [InlineData(false, 0, true, false, null)]
    [InlineData(true, 0, true, true, 600)]
    [InlineData(true, 60, true, false, 60)]
    [InlineData(true, 0, false, false, 0)] // the in-process bus is full: left to the scheduler
    public async Task A_new_push_task_is_dispatched_when_it_is_due(bool push, int dueSeconds, bool atOnce, bool dispatched,
        int? dispatchSeconds)
    {
        var task = New(change: t => (t.State, t.Push, t.DueAt) = (0, push, T0.AddSeconds(dueSeconds)));
        task.DispatchAt = TaskStateMachine.FirstDispatch(task, atOnce);

        (await SendAsync(new SubmitTask(task))).ShouldBe(CommandResult.Applied);

        (task.State, task.DispatchAt) = (TaskStates.Pending, dispatchSeconds is { } s ? T0.AddSeconds(s) : null);
        (await fixture.Database.GetAsync(task.CorrelationId)).Describe().ShouldBe(task.Describe());
        var submitted = (await fixture.Database.EventsOfAsync(task.CorrelationId)).ShouldHaveSingleItem();
        (submitted.Type, submitted.Attempt, submitted.Worker, submitted.DueAt, submitted.Dispatch)
            .ShouldBe((TaskEventType.Submitted, 0, null, task.DueAt, dispatched));
    }

    private Task<CommandResult> SendAsync(TaskCommand command) => fixture.Engine.SendAsync(command);

    private async Task StartAsync(TaskState task, int attempt, DateTime at) =>
        (await SendAsync(new StartTask(task.CorrelationId, at, attempt, "w", 60_000))).ShouldBe(CommandResult.Applied);

    private async Task ShouldBeAsync(TaskState expected, params (TaskEventType Type, int Attempt, string? Error)[] steps)
    {
        (await fixture.Database.GetAsync(expected.CorrelationId)).Describe().ShouldBe(expected.Describe());
        (await fixture.StepsAsync(expected.CorrelationId)).Select(e => (e.Type, e.Attempt, e.Error)).ShouldBe(steps);
    }
}
