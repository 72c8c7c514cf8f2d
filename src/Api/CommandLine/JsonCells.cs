using System.Globalization;
using System.Text.Json;

namespace TaskQueue.Api.CommandLine;

/// <summary>Formats members of the server's responses for display.</summary>
internal static class JsonCells
{
    /// <summary>A member as text; empty if null or missing.</summary>
    public static string Cell(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value.Cell() : "";

    public static string Cell(this JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Null or JsonValueKind.Undefined => "",
            JsonValueKind.String => value.GetString()!,
            JsonValueKind.True => "yes",
            JsonValueKind.False => "no",
            _ => value.GetRawText(),
        };

    /// <summary>A count; 0 if missing.</summary>
    public static long Count(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.TryGetInt64(out var count)
            ? count : 0;

    /// <summary>Formats a number of seconds, as <c>1.5 s</c> or <c>3 h 20 min</c>.</summary>
    public static string Age(this JsonElement element, string name)
    {
        if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out var value)
            || value.ValueKind != JsonValueKind.Number)
            return "";
        var age = TimeSpan.FromSeconds(Math.Clamp(value.GetDouble(), 0, 1e9));
        return age switch
        {
            { TotalMinutes: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{age.TotalSeconds:0.#} s"),
            { TotalHours: < 1 } => $"{age.Minutes} min {age.Seconds} s",
            { TotalDays: < 1 } => $"{age.Hours} h {age.Minutes} min",
            _ => $"{age.Days} d {age.Hours} h",
        };
    }
}
