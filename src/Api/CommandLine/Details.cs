using System.Text.Json;
using Spectre.Console;

namespace TaskQueue.Api.CommandLine;

/// <summary>Renders an object from the server, one member per line; nulls are omitted.</summary>
internal static class Details
{
    public static Grid Of(JsonElement element, params string[] without)
    {
        var grid = new Grid();
        grid.AddColumn(new GridColumn { NoWrap = true, Padding = new Padding(0, 0, 2, 0) });
        grid.AddColumn(new GridColumn { Padding = new Padding(0, 0, 0, 0) });
        foreach (var member in element.EnumerateObject().Where(m => !without.Contains(m.Name)))
            Add(grid, Title(member.Name), member.Value);
        return grid;
    }

    /// <summary>Flattens nested objects, as in <c>counts waiting</c>; lists are shown as JSON.</summary>
    private static void Add(Grid grid, string title, JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Object && title is "counts" or "dead letters" or "rate" or "retry")
        {
            foreach (var member in value.EnumerateObject())
                Add(grid, $"{title} {Title(member.Name)}", member.Value);
        }
        else if (value.Cell() is { Length: > 0 } cell)
        {
            grid.AddRow(new Text(Output.Clean(title), new Style(decoration: Decoration.Bold)), new Text(Output.Clean(cell)));
        }
    }

    private static string Title(string name) => name.Replace('_', ' ');
}
