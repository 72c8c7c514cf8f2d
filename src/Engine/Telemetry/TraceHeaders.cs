using System.Diagnostics;
using System.Text.Json;

namespace TaskQueue.Engine.Telemetry;

/// <summary>The W3C trace context in the headers of a task: members <c>traceparent</c> and <c>tracestate</c>.</summary>
/// <param name="Parent">The span that submitted the task.</param>
/// <param name="State">Vendor-specific state; null is none.</param>
public sealed record TraceHeaders(string Parent, string? State)
{
    private const string ParentName = "traceparent", StateName = "tracestate";

    /// <summary>The W3C specification permits dropping a longer one.</summary>
    private const int MaxState = 512;

    private const int ParentLength = 55;

    /// <summary>The trace context of a message's headers; null if it is missing or invalid.</summary>
    public static TraceHeaders? Of(string? parent, string? state) =>
        parent is { Length: ParentLength } && ActivityContext.TryParse(parent, null, out _)
            ? new TraceHeaders(parent, state is not null && IsState(state) ? state : null)
            : null;

    /// <summary>Reads the trace context from the headers of a task; null if there is none.</summary>
    public static TraceHeaders? Of(string? headers)
    {
        if (headers is null || !headers.Contains(ParentName, StringComparison.Ordinal))
            return null;
        try
        {
            using var document = JsonDocument.Parse(headers);
            return Of(TextRules.Read(document.RootElement, ParentName), TextRules.Read(document.RootElement, StateName));
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return null; // headers of a bus producer
        }
    }

    /// <summary>Whether a text is a valid <c>tracestate</c>.</summary>
    public static bool IsState(string text) => text.Length <= MaxState && text.All(c => c is >= ' ' and <= '~');

    /// <summary>Adds the trace to headers; unchanged if they already have one, or are no JSON object.</summary>
    public string? Into(string? headers)
    {
        var members = State is { Length: <= MaxState } state
            ? $"\"{ParentName}\":\"{Parent}\",\"{StateName}\":{JsonSerializer.Serialize(state, TraceJson.Default.String)}"
            : $"\"{ParentName}\":\"{Parent}\"";
        if (headers is null)
            return $"{{{members}}}";
        try
        {
            using var document = JsonDocument.Parse(headers);
            if (document.RootElement.ValueKind != JsonValueKind.Object || Has(document, ParentName) || Has(document, StateName))
                return headers;
            var rest = headers.AsSpan(headers.IndexOf('{', StringComparison.Ordinal) + 1);
            return document.RootElement.EnumerateObject().Any() ? $"{{{members},{rest}" : $"{{{members}{rest}";
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return headers;
        }
    }

    private static bool Has(JsonDocument document, string name) => document.RootElement.TryGetProperty(name, out _);
}

[System.Text.Json.Serialization.JsonSerializable(typeof(string))]
internal sealed partial class TraceJson : System.Text.Json.Serialization.JsonSerializerContext;
