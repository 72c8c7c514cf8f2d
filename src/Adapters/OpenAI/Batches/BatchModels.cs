using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Http.Json;

namespace TaskQueue.Adapters.OpenAI.Batches;

/// <summary>POST /v1/batches.</summary>
/// <param name="InputFileId">A file of JSON lines.</param>
/// <param name="Endpoint">Endpoint that processes the lines, such as <c>/v1/chat/completions</c>.</param>
/// <param name="CompletionWindow">A number and m, h or d; 24h if missing or invalid.</param>
/// <param name="Metadata">At most 16 string pairs; <c>callback_url</c> is the URL to which the batch's end is posted.</param>
public sealed record BatchBody(string? InputFileId, string? Endpoint, string? CompletionWindow,
    IReadOnlyDictionary<string, string?>? Metadata);

[JsonSerializable(typeof(BatchBody))]
internal sealed partial class BatchBodyJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static BatchBodyJson Instance { get; } =
        new(new JsonSerializerOptions(JsonStyle.Options) { AllowDuplicateProperties = true });
}
