using Shouldly;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Constants of SQL cannot be computed from the numbers of the states, so a test compares them.</summary>
public sealed class SqlStatesTests
{
    [Fact]
    public void The_states_in_SQL_are_those_of_the_engine()
    {
        SqlStates.Waiting.ShouldBe($"({TaskStates.Pending}, {TaskStates.Retrying})");
        SqlStates.Finished.ShouldBe($"({string.Join(", ", TaskStates.All.Where(TaskStates.IsTerminal))})");
        SqlStates.Unsuccessful.ShouldBe($"({TaskStates.Failed}, {TaskStates.Cancelled}, {TaskStates.Expired})");
        SqlStates.Running.ShouldBe($"{TaskStates.Running}");
        SqlStates.BatchInProgress.ShouldBe($"{BatchStates.InProgress}");
        SqlStates.CallbackWaiting.ShouldBe($"{(int)CallbackState.Waiting}");
    }
}
