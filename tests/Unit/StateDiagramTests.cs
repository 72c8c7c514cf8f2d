using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>docs/state-machine.md shows the actual machine.</summary>
public sealed class StateDiagramTests
{
    [Fact]
    public void The_documented_diagram_matches_the_state_machine()
    {
        Repository.CompareGenerated("state-machine.md", $"```mermaid\n{StateDiagram.Of(new TaskStateMachine())}```\n");
    }

    [Fact]
    public void The_diagram_has_all_states() =>
        TaskStates.All.Select(TaskStates.Word).ShouldAllBe(
            word => StateDiagram.Of(new TaskStateMachine()).Contains($"{char.ToUpperInvariant(word[0])}{word.Substring(1)}"));
}
