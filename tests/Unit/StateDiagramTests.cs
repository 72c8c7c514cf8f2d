using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>docs/state-machine.md shows the machine as it is.</summary>
public sealed class StateDiagramTests
{
    [Fact]
    public void The_diagram_in_the_documents_is_that_of_the_machine()
    {
        Repository.CompareGenerated("state-machine.md", $"```mermaid\n{StateDiagram.Of(new TaskStateMachine())}```\n");
    }

    [Fact]
    public void The_diagram_has_all_states() =>
        TaskStates.All.Select(TaskStates.Word).ShouldAllBe(
            word => StateDiagram.Of(new TaskStateMachine()).Contains($"{char.ToUpperInvariant(word[0])}{word.Substring(1)}"));
}
