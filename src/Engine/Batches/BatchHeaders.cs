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
    /// <summary>What identical items have in common, if they are run once; null otherwise.</summary>
    public string? Twins { get; init; }

    /// <summary>Serializes the headers.</summary>
    public string ToText() => JsonSerializer.Serialize(this, BatchHeadersJson.Default.BatchHeaders);

    /// <summary>The item's own id from the headers of a task.</summary>
    public static string? CustomIdOf(string? headers) => Of(headers)?.CustomId;

    /// <summary>The headers of a task; null if it has none.</summary>
    public static BatchHeaders? Of(string? headers) =>
        headers is null ? null : JsonSerializer.Deserialize(headers, BatchHeadersJson.Default.BatchHeaders);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(BatchHeaders))]
internal sealed partial class BatchHeadersJson : JsonSerializerContext;
