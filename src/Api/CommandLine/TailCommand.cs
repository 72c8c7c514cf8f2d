using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using TaskQueue.Client;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>tail</c>: prints live task events.</summary>
internal static class TailCommand
{
    private static readonly Option<string[]> Queues = new("--queue") { Description = "Only events of this queue; may be repeated." };
    private static readonly Option<string[]> Ids = new("--id") { Description = "Only events of this task; may be repeated." };
    private static readonly Option<string?> After = new("--after")
    {
        Description = "Resume after the event with this cursor, shown with --json.",
        HelpName = "CURSOR",
    };

    public static Command Create() =>
        Session.Command("tail", "Prints live task events until Ctrl-C.", RunAsync, Queues, Ids, After);

    private static async Task<int> RunAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var ids = (parsed.GetValue(Ids) ?? [])
            .Select(id => Guid.TryParse(id, out var guid) ? guid
                : throw CommandException.Usage($"--id must be the id of a task, not '{id}'")).ToHashSet();
        var query = new LiveEventQuery
        {
            Queues = parsed.GetValue(Queues) ?? [],
            After = parsed.GetValue(After),
            Lost = loss => Output.Error($"{session.Explain(loss)}; trying again"),
        };
        try
        {
            await foreach (var happened in session.Client.EventsAsync(query, cancellationToken))
            {
                if (ids.Count == 0 || ids.Contains(happened.TaskId))
                    Write(session.Output, happened);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ended by Ctrl-C.
        }

        return ExitCode.Done;
    }

    private static void Write(Output output, LiveEvent happened)
    {
        if (output.IsJson)
            output.Json(ToJson(happened));
        else
            output.Line(Output.Clean(ToLine(happened)));
    }

    private static string ToLine(LiveEvent e)
    {
        var queue = e.Tier == 0 ? e.Queue : $"{e.Queue}:{e.Tier}";
        var line = $"{e.At.UtcDateTime:yyyy-MM-ddTHH:mm:ss.fffZ}  {e.Type,-9}  {e.TaskId}  {queue}";
        line += e.Attempt > 0 ? $"  attempt {e.Attempt}" : "";
        line += e.Worker is null ? "" : $"  by {e.Worker}";
        line += e.DueAt is { } due && due > e.At ? $"  due {due.UtcDateTime:yyyy-MM-ddTHH:mm:ss.fffZ}" : "";
        return line + (e.Error is null ? "" : $"  {e.Error}");
    }

    private static JsonElement ToJson(LiveEvent e) =>
        JsonSerializer.SerializeToElement(new JsonObject
        {
            ["event"] = e.Type,
            ["cursor"] = e.Cursor,
            ["task_id"] = e.TaskId,
            ["queue"] = e.Queue,
            ["tier"] = e.Tier,
            ["name"] = e.Name,
            ["attempt"] = e.Attempt,
            ["at"] = e.At,
            ["due_at"] = e.DueAt,
            ["worker"] = e.Worker,
            ["error"] = e.Error,
        });
}
