using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>docs/state-machine.md shows the machine as it is.</summary>
public sealed class StateDiagramTests
{
    private const string Begin = "<!-- generated: begin -->\n";
    private const string End = "<!-- generated: end -->\n";

    [Fact]
    public void The_diagram_in_the_documents_is_that_of_the_machine()
    {
        var path = Repository.FileAt("docs", "state-machine.md");
        var text = File.ReadAllText(path);
        var from = text.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        var to = text.IndexOf(End, StringComparison.Ordinal);
        from.ShouldBeInRange(Begin.Length, to);
        var diagram = $"```mermaid\n{StateDiagram.Of(new TaskStateMachine())}```\n";

        if (Repository.WritesDocs)
            File.WriteAllText(path, text[..from] + diagram + text[to..]);
        else
            text[from..to].ShouldBe(diagram, "docs/state-machine.md is out of date: run this test with TASKQUEUE_WRITE_DOCS=1 to write it");
    }

    [Fact]
    public void The_diagram_has_all_states() =>
        TaskStates.All.Select(TaskStates.Word).ShouldAllBe(
            word => StateDiagram.Of(new TaskStateMachine()).Contains($"{char.ToUpperInvariant(word[0])}{word.Substring(1)}"));
}
