using System.Text.Json;

namespace TaskQueue.Client;

/// <summary>Encoded text: a JSON object whose only member is <c>$enc</c>.</summary>
internal static class CodecEnvelope
{
    private const string Member = "$enc";

    public static string Of(string keyId, byte[] data) =>
        $$$"""{"{{{Member}}}":{"kid":"{{{keyId}}}","data":"{{{Convert.ToBase64String(data)}}}"}}""";

    public static bool Is(JsonElement json) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(Member, out _) && json.EnumerateObject().Count() == 1;

    /// <summary>Reads the parts of an encoded text; a missing part is null. Returns null if the text is not encoded.</summary>
    public static (string? KeyId, byte[]? Data)? Read(string json)
    {
        if (!json.Contains(Member, StringComparison.Ordinal))
            return null;
        using var document = JsonDocument.Parse(json);
        return Is(document.RootElement) ? (KeyIdOf(document.RootElement), DataOf(document.RootElement.GetProperty(Member))) : null;
    }

    /// <summary>Same for JSON text.</summary>
    /// <exception cref="TaskPayloadException">The text is encoded.</exception>
    public static void DemandPlain(string json, string what)
    {
        if (!json.Contains(Member, StringComparison.Ordinal))
            return;
        using var document = JsonDocument.Parse(json);
        DemandPlain(document.RootElement, what);
    }

    /// <summary>Without a codec, prevents an encoded text from being mistaken for the content.</summary>
    /// <exception cref="TaskPayloadException">The text is encoded.</exception>
    public static void DemandPlain(JsonElement json, string what)
    {
        if (!Is(json))
            return;
        var key = KeyIdOf(json) is { } id ? $" with key '{id}'" : "";
        throw new TaskPayloadException($"the {what} is encoded{key}, and this program has no codec: set Codec of its options");
    }

    private static string? KeyIdOf(JsonElement envelope) => Text(envelope.GetProperty(Member), "kid")?.GetString();

    private static byte[]? DataOf(JsonElement parts) =>
        Text(parts, "data") is { } data && data.TryGetBytesFromBase64(out var bytes) ? bytes : null;

    private static JsonElement? Text(JsonElement parts, string name) =>
        parts.ValueKind == JsonValueKind.Object && parts.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value : null;
}
