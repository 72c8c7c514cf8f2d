using System.Text;

namespace TaskQueue.Adapters.Moab;

/// <summary>
/// Converts payloads: bytes for Moab, text for the engine. Text is stored unchanged; bytes that are not valid text are stored as a
/// data URL, which is self-describing to the workers of every API.
/// </summary>
internal static class MoabPayload
{
    private const string Binary = "data:application/octet-stream;base64,";
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Converts text to the engine's form.</summary>
    public static string FromText(string text) =>
        text.Contains('\0', StringComparison.Ordinal) || text.StartsWith(Binary, StringComparison.Ordinal)
            ? ToUrl(Utf8.GetBytes(text)) : text;

    /// <summary>Converts bytes to the engine's form.</summary>
    public static string FromBytes(byte[] bytes) => ToText(bytes) is { } text ? FromText(text) : ToUrl(bytes);

    /// <summary>Converts to the client's form: the text, or the base64 of bytes that are not text.</summary>
    public static (string Text, string? Base64) Read(string payload)
    {
        if (!payload.StartsWith(Binary, StringComparison.Ordinal))
            return (payload, null);
        var base64 = payload[Binary.Length..];
        if (FromBase64(base64) is not { } bytes)
            return (payload, null); // submitted through another API
        return ToText(bytes) is { } text ? (text, null) : ("", base64);
    }

    /// <summary>Decodes standard base64; null if invalid.</summary>
    public static byte[]? FromBase64(string text)
    {
        try
        {
            return Convert.FromBase64String(text);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static string ToUrl(byte[] bytes) => Binary + Convert.ToBase64String(bytes);

    private static string? ToText(byte[] bytes)
    {
        try
        {
            return Utf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }
}
