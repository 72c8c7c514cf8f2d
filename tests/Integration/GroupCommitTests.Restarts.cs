using Shouldly;
using TaskQueue.Engine.Tasks;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

public abstract partial class GroupCommitTests
{
    [Fact]
    public async Task A_task_that_is_cancelled_and_restarted_in_one_group_has_a_whole_history()
    {
        var waiting = await GivenAsync(t => t.DedupeKey = "k");
        var running = await GivenAsync(t =>
            (t.State, t.Attempt, t.Worker, t.StartedAt, t.LeaseUntil) = (TaskStates.Running, 1, "w", T0.AddSeconds(-1), Later));
        var id = running.CorrelationId;

        var commands = await TogetherAsync(
            new CancelTask(waiting.CorrelationId, T0.AddSeconds(1)), new RetryTask(waiting.CorrelationId, T0.AddSeconds(2)),
            new CancelTask(id, T0.AddSeconds(1)), new RetryTask(id, T0.AddSeconds(2)), new StartTask(id, T0.AddSeconds(2), 2, "v", 1000),
            new FailTask(id, T0.AddSeconds(3), 2, "v", "broken", retryable: false), new RetryTask(id, T0.AddSeconds(4)),
            new StartTask(id, T0.AddSeconds(4), 3, "u", 1000), new CancelTask(id, T0.AddSeconds(5)), new RetryTask(id, T0.AddSeconds(6)));

        commands.ShouldAllBe(c => c.CommandResult == CommandResult.Applied);
        _store.Saves.ShouldBe([(0, 2)]);
        (await StepsAsync(waiting)).ShouldBe([TaskEventType.Submitted, TaskEventType.Cancelled, TaskEventType.Submitted]);
        (await TimelineAsync(waiting)).ShouldBe(
        [
            (TaskEventType.Submitted, 0, T0), (TaskEventType.Cancelled, 0, T0.AddSeconds(1)),
            (TaskEventType.Submitted, 0, T0.AddSeconds(2)),
        ]);
        (await StepsAsync(running)).ShouldBe(
            [TaskEventType.Submitted, TaskEventType.Cancelled, TaskEventType.Submitted, TaskEventType.Started, TaskEventType.Failed,
                TaskEventType.Submitted, TaskEventType.Started, TaskEventType.Cancelled, TaskEventType.Submitted]);
        (await TimelineAsync(running)).ShouldBe(
        [
            (TaskEventType.Submitted, 0, T0), (TaskEventType.Started, 1, T0.AddSeconds(-1)),
            (TaskEventType.Cancelled, 1, T0.AddSeconds(1)), (TaskEventType.Submitted, 1, T0.AddSeconds(2)),
            (TaskEventType.Started, 2, T0.AddSeconds(2)), (TaskEventType.Failed, 2, T0.AddSeconds(3)),
            (TaskEventType.Submitted, 2, T0.AddSeconds(4)),
            (TaskEventType.Started, 3, T0.AddSeconds(4)), (TaskEventType.Cancelled, 3, T0.AddSeconds(5)),
            (TaskEventType.Submitted, 3, T0.AddSeconds(6)),
        ]);
        (await _store.InsertAsync([new NewTask(New(change: t => t.DedupeKey = "k"))]))!
            .ShouldHaveSingleItem().Result.ShouldBe(SubmitStatus.Skipped, "the restarted task still holds its key");
    }

    private async Task<IEnumerable<(TaskEventType, int, DateTime)>> TimelineAsync(TaskState task) =>
        (await _engine.Queries.TimelineAsync(task.CorrelationId, (_, _, _) => default, CancellationToken.None))
            .Select(e => (e.Type, e.Attempt, e.At));
}
