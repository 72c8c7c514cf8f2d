using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace TaskQueue.Api.CommandLine;

/// <summary>Prints all pages of a list.</summary>
internal static class PagedList
{
    private const int Page = 200;

    /// <summary>Reads the pages one after another, and prints a table, or one JSON document.</summary>
    /// <param name="session">The run.</param>
    /// <param name="path">Path of the list.</param>
    /// <param name="filters">Query parameters; null is left out.</param>
    /// <param name="member">Member of the answer with the rows.</param>
    /// <param name="table">The table.</param>
    /// <param name="cells">Cells of a row.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<int> PrintAsync(Session session, string path, IEnumerable<(string Name, string? Value)> filters, string member,
        Table table, Func<JsonElement, string[]> cells, CancellationToken cancellationToken)
    {
        var rows = new JsonArray();
        var first = $"{path}?limit={Page}" + string.Concat(filters.Where(f => f.Value is not null)
            .Select(f => $"&{f.Name}={Uri.EscapeDataString(f.Value!)}"));
        for (string? next = first; next is not null;)
        {
            var page = await session.GetAsync(next, cancellationToken);
            foreach (var row in page.GetProperty(member).EnumerateArray())
            {
                rows.Add(JsonObject.Create(row));
                Output.AddRow(table, cells(row));
            }

            next = page.Cell("next_cursor") is { Length: > 0 } cursor ? $"{first}&cursor={Uri.EscapeDataString(cursor)}" : null;
        }

        if (session.Output.IsJson)
            session.Output.Json(JsonSerializer.SerializeToElement(new JsonObject { [member] = rows }));
        else
            session.Output.Table(table);
        return ExitCode.Done;
    }
}
