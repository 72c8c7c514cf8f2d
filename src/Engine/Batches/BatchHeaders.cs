using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.Engine.Batches;

/// <summary>What the task of a line keeps in its headers, beside what bella's API reads there.</summary>
/// <param name="TraceId">The batch.</param>
/// <param name="ResponseMode"><c>batch</c>.</param>
/// <param name="CustomId">The line's own id.</param>
/// <param name="Submitter">Name of the caller that made the batch.</param>
public sealed record BatchHeaders(string TraceId, string ResponseMode, string? CustomId, string? Submitter)
{
    /// <summary>The text of the headers.</summary>
    public string ToText() => JsonSerializer.Serialize(this, BatchHeadersJson.Default.BatchHeaders);

    /// <summary>The line's own id in the headers of a task.</summary>
    public static string? CustomIdOf(string? headers) =>
        headers is null ? null : JsonSerializer.Deserialize(headers, BatchHeadersJson.Default.BatchHeaders)?.CustomId;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(BatchHeaders))]
internal sealed partial class BatchHeadersJson : JsonSerializerContext;
