using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace TaskQueue.Api.CommandLine;

/// <summary>Prints the pages of a list, up to a number of rows.</summary>
internal static class PagedList
{
    private const int Page = 200;

    /// <summary>The option of commands that print such a list.</summary>
    public static readonly Option<int> Limit = new("--limit")
    {
        Description = "Maximum number of rows.",
        DefaultValueFactory = _ => 1000,
    };

    /// <summary>Reads the pages one after another, and prints a table, or one JSON document.</summary>
    /// <param name="session">The run.</param>
    /// <param name="parsed">Its options.</param>
    /// <param name="path">Path of the list.</param>
    /// <param name="filters">Query parameters; null is left out.</param>
    /// <param name="member">Member of the answer with the rows.</param>
    /// <param name="table">The table.</param>
    /// <param name="cells">Cells of a row.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<int> PrintAsync(Session session, ParseResult parsed, string path,
        IEnumerable<(string Name, string? Value)> filters, string member, Table table, Func<JsonElement, string[]> cells,
        CancellationToken cancellationToken)
    {
        var limit = parsed.GetValue(Limit);
        if (limit < 1)
            throw CommandException.Usage("--limit must be 1 or more");
        var rows = new JsonArray();
        var filter = string.Concat(filters.Where(f => f.Value is not null)
            .Select(f => $"&{f.Name}={Uri.EscapeDataString(f.Value!)}"));
        string? cursor = "";
        while (cursor is not null && rows.Count < limit)
        {
            var after = cursor.Length == 0 ? "" : $"&cursor={Uri.EscapeDataString(cursor)}";
            var size = Math.Min(Page, limit - rows.Count).ToString(CultureInfo.InvariantCulture);
            var page = await session.GetAsync($"{path}?limit={size}{filter}{after}", cancellationToken);
            foreach (var row in page.GetProperty(member).EnumerateArray())
            {
                rows.Add(JsonObject.Create(row));
                Output.AddRow(table, cells(row));
            }

            cursor = page.Cell("next_cursor") is { Length: > 0 } next ? next : null;
        }

        if (session.Output.IsJson)
            session.Output.Json(JsonSerializer.SerializeToElement(new JsonObject { [member] = rows }));
        else
            session.Output.Table(table);
        if (cursor is not null)
            Output.Error($"these are the first {rows.Count} rows; there are more: use a larger --limit");
        return ExitCode.Done;
    }
}
