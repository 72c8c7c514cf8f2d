using System.Text.Json;
using System.Text.Json.Serialization;

namespace TaskQueue.Engine.Batches;

/// <summary>Headers that the task of a batch item stores besides those of bella's API.</summary>
/// <param name="TraceId">The batch.</param>
/// <param name="ResponseMode"><c>batch</c>.</param>
/// <param name="CustomId">The item's own id.</param>
/// <param name="Submitter">Name of the caller that created the batch.</param>
public sealed record BatchHeaders(string TraceId, string ResponseMode, string? CustomId, string? Submitter)
{
    /// <summary>Serializes the headers.</summary>
    public string ToText() => JsonSerializer.Serialize(this, BatchHeadersJson.Default.BatchHeaders);

    /// <summary>The item's own id from the headers of a task.</summary>
    public static string? CustomIdOf(string? headers) =>
        headers is null ? null : JsonSerializer.Deserialize(headers, BatchHeadersJson.Default.BatchHeaders)?.CustomId;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(BatchHeaders))]
internal sealed partial class BatchHeadersJson : JsonSerializerContext;
