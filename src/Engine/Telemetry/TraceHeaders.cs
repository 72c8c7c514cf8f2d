using System.Diagnostics;
using System.Text.Json;

namespace TaskQueue.Engine.Telemetry;

/// <summary>The W3C trace context in the headers of a task: members <c>traceparent</c> and <c>tracestate</c>.</summary>
/// <param name="Parent">The span that submitted the task.</param>
/// <param name="State">What vendors add; null is nothing.</param>
public sealed record TraceHeaders(string Parent, string? State)
{
    private const string ParentName = "traceparent", StateName = "tracestate";

    /// <summary>By the W3C's rule a longer one may be dropped.</summary>
    private const int MaxState = 512;

    private const int ParentLength = 55;

    /// <summary>The trace context of a message's headers; null where they have none, or none that is valid.</summary>
    public static TraceHeaders? Of(string? parent, string? state) =>
        parent is { Length: ParentLength } && ActivityContext.TryParse(parent, null, out _)
            ? new TraceHeaders(parent, state is not null && IsState(state) ? state : null)
            : null;

    /// <summary>Reads the headers of a task; null where they have no trace.</summary>
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
            return null; // of a bus producer
        }
    }

    /// <summary>Whether a text can be sent as <c>tracestate</c>.</summary>
    public static bool IsState(string text) => text.Length <= MaxState && text.All(c => c is >= ' ' and <= '~');

    /// <summary>The headers with the trace; as they were where their submitter put one there, or where they are no JSON object.</summary>
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
