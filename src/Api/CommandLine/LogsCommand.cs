using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>logs</c>.</summary>
internal static class LogsCommand
{
    private const int Page = 200;

    private static readonly Argument<string> Id = new("ID") { Description = "Id of the task." };

    public static Command Create() => Session.Command("logs", "Shows what workers logged while they ran a task.", RunAsync, Id);

    private static async Task<int> RunAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var entries = new JsonArray();
        var table = Output.NewTable("AT", "LEVEL", "ATTEMPT", "MESSAGE");
        var path = Session.Path("tasks", parsed.GetRequiredValue(Id), $"/logs?limit={Page}");
        for (string? cursor = ""; cursor is not null;)
        {
            var page = await session.GetAsync(
                cursor.Length == 0 ? path : $"{path}&cursor={Uri.EscapeDataString(cursor)}", cancellationToken);
            foreach (var entry in page.GetProperty("entries").EnumerateArray())
            {
                entries.Add(JsonObject.Create(entry));
                Output.AddRow(table, entry.Cell("at"), entry.Cell("level"), entry.Cell("attempt"), entry.Cell("message"));
            }

            cursor = page.Cell("next_cursor") is { Length: > 0 } next ? next : null;
        }

        if (session.Output.IsJson)
            session.Output.Json(JsonSerializer.SerializeToElement(new JsonObject { ["entries"] = entries }));
        else
            session.Output.Table(table);
        return ExitCode.Done;
    }
}
