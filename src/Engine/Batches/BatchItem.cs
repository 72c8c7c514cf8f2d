using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace TaskQueue.Engine.Batches;

/// <summary>A parsed line of an input: its request, or its error.</summary>
/// <param name="CustomId">The item's own id, if it has one.</param>
/// <param name="Body">JSON of the request; null if the item is invalid.</param>
/// <param name="Model">The model named by the request, if any.</param>
/// <param name="Problem">The error, or null.</param>
public sealed record BatchItem(string? CustomId, string? Body, string? Model, BatchProblem? Problem)
{
    private const int MaxCustomId = 128;
    private const string InvalidJson = "invalid_json_line";

    /// <summary>What identical items of a batch have in common, if they are run once; null otherwise.</summary>
    public string? Twins { get; init; }

    /// <summary>Code of a line whose request is larger than allowed.</summary>
    public const string TooLarge = "line_too_large";

    /// <summary>
    /// Parses a line. Under OpenAI's rules it must be complete and match the endpoint of its batch; under Bella's it only has to be JSON
    /// (bella.md 10.6, 12).
    /// </summary>
    /// <param name="text">The line; null if it was too long.</param>
    /// <param name="batch">Decides which rules apply.</param>
    /// <param name="maxPayload">Maximum bytes of the request.</param>
    public static BatchItem Parse(byte[]? text, BatchState batch, int maxPayload)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (text is null)
            return Bad(null, TooLarge, $"the line is too long: its request may have {maxPayload} bytes", null);
        if (!Utf8.IsValid(text))
            return Bad(null, InvalidJson, "the line is not valid UTF-8", null);
        try
        {
            using var document = JsonDocument.Parse(text);
            return Parse(document.RootElement, batch, maxPayload);
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return Bad(null, InvalidJson, $"the line is not valid JSON: {fault.Message}", null);
        }
    }

    private static BatchItem Parse(JsonElement line, BatchState batch, int maxPayload)
    {
        if (line.ValueKind != JsonValueKind.Object)
            return Bad(null, InvalidJson, "the line is not a JSON object", null);
        if (CustomIdProblem(line) is { } wrong)
            return Bad(null, "invalid_custom_id", wrong, "custom_id");
        var customId = Text(line, "custom_id");
        var hasBody = line.TryGetProperty("body", out var body) && body.ValueKind != JsonValueKind.Null;
        if (hasBody && body.ValueKind != JsonValueKind.Object)
            return Bad(customId, "invalid_body", "body must be an object", "body");
        var text = hasBody ? body.GetRawText() : "{}";
        if (Encoding.UTF8.GetByteCount(text) > maxPayload)
            return Bad(customId, TooLarge, $"body must have at most {maxPayload} bytes", "body");
        if (batch.Strict && Demand(line, batch, customId, hasBody ? body : null) is { } problem)
            return new BatchItem(customId, null, null, problem);
        return new BatchItem(customId, text, hasBody ? Text(body, "model") : null, null);
    }

    private static string? CustomIdProblem(JsonElement line)
    {
        if (!line.TryGetProperty("custom_id", out var id) || id.ValueKind == JsonValueKind.Null)
            return null;
        if (id.ValueKind != JsonValueKind.String)
            return "custom_id must be text";
        return id.GetString() is { Length: <= MaxCustomId } text && !text.Contains('\0', StringComparison.Ordinal)
            ? null
            : $"custom_id must have at most {MaxCustomId} characters, and none of them U+0000";
    }

    private static BatchProblem? Demand(JsonElement line, BatchState batch, string? customId, JsonElement? body) =>
        string.IsNullOrEmpty(customId) ? new("missing_custom_id", "custom_id is missing", "custom_id")
        : Text(line, "method") != "POST" ? new("invalid_method", "method must be POST", "method")
        : Text(line, "url") != batch.Endpoint ? new("url_mismatch", $"url must be the endpoint of the batch, {batch.Endpoint}", "url")
        : body is not { } request ? new("missing_body", "body is missing", "body")
        : request.TryGetProperty("stream", out var stream) && stream.ValueKind == JsonValueKind.True
            ? new("stream_not_supported", "a batch has no streams: leave stream out, or set it to false", "body.stream")
        : null;

    private static string? Text(JsonElement value, string name) =>
        value.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;

    private static BatchItem Bad(string? customId, string code, string message, string? param) =>
        new(customId, null, null, new BatchProblem(code, message, param));
}

/// <summary>An error in a batch item.</summary>
/// <param name="Code">Stable error code.</param>
/// <param name="Message">Text for humans.</param>
/// <param name="Param">The invalid member, or null.</param>
public sealed record BatchProblem(string Code, string Message, string? Param);
