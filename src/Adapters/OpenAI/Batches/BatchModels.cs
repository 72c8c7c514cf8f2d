using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Http.Json;

namespace TaskQueue.Adapters.OpenAI.Batches;

/// <summary>POST /v1/batches.</summary>
/// <param name="InputFileId">A file of JSON lines.</param>
/// <param name="Endpoint">Endpoint that processes the lines, such as <c>/v1/chat/completions</c>.</param>
/// <param name="CompletionWindow">A number and m, h or d, from 1m to 30d; 24h if missing.</param>
/// <param name="Metadata">At most 16 string pairs; <c>callback_url</c> is the URL to which the batch's end is posted.</param>
/// <param name="OutputExpiresAfter">When the files of the batch expire.</param>
/// <param name="Deduplicate">Whether identical requests are run once, and their result is copied; not part of OpenAI's API.</param>
public sealed record BatchBody(string? InputFileId, string? Endpoint, string? CompletionWindow,
    IReadOnlyDictionary<string, string?>? Metadata, ExpiresAfterBody? OutputExpiresAfter, bool? Deduplicate);

[JsonSerializable(typeof(BatchBody))]
internal sealed partial class BatchBodyJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static BatchBodyJson Instance { get; } =
        new(new JsonSerializerOptions(JsonStyle.Options) { AllowDuplicateProperties = true });
}
