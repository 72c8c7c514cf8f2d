using System.CommandLine;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>why</c>.</summary>
internal static class WhyCommand
{
    private static readonly Argument<string> Id = new("ID") { Description = "Id of the task." };

    public static Command Create() => Session.Command("why", "Shows why a task does not run.", RunAsync, Id);

    private static async Task<int> RunAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var answer = await session.GetAsync(Session.Path("tasks", parsed.GetRequiredValue(Id), "/why"), cancellationToken);
        if (session.Output.IsJson)
        {
            session.Output.Json(answer);
            return ExitCode.Done;
        }

        session.Output.Line(Output.Clean($"{answer.Cell("state")}: {answer.Cell("message")}"));
        var gates = answer.GetProperty("gates");
        if (gates.GetArrayLength() == 0)
            return ExitCode.Done;
        var table = Output.NewTable("GATE", "OPENS AT", "POSITION", "HELD BY", "MESSAGE");
        foreach (var gate in gates.EnumerateArray())
        {
            var holders = string.Join(' ', gate.GetProperty("holders").EnumerateArray().Select(h => h.Cell("task_id")));
            Output.AddRow(table, gate.Cell("gate"), gate.Cell("opens_at"), gate.Cell("position"), holders, gate.Cell("message"));
        }

        session.Output.Line("");
        session.Output.Table(table);
        return ExitCode.Done;
    }
}
