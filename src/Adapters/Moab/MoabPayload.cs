using System.Text;

namespace TaskQueue.Adapters.Moab;

/// <summary>
/// Payloads are bytes to Moab and text to the engine. Text is kept as it is; bytes that no text column takes are kept as
/// a data URL, which says of itself what it is to the workers of every API and goes wherever the payload goes.
/// </summary>
internal static class MoabPayload
{
    private const string Binary = "data:application/octet-stream;base64,";
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>What the engine keeps of a text.</summary>
    public static string FromText(string text) =>
        text.Contains('\0', StringComparison.Ordinal) || text.StartsWith(Binary, StringComparison.Ordinal)
            ? ToUrl(Utf8.GetBytes(text)) : text;

    /// <summary>What the engine keeps of bytes.</summary>
    public static string FromBytes(byte[] bytes) => ToText(bytes) is { } text ? FromText(text) : ToUrl(bytes);

    /// <summary>What a client reads: the text, or the base64 of bytes that are none.</summary>
    public static (string Text, string? Base64) Read(string payload)
    {
        if (!payload.StartsWith(Binary, StringComparison.Ordinal))
            return (payload, null);
        var base64 = payload[Binary.Length..];
        if (FromBase64(base64) is not { } bytes)
            return (payload, null); // of another API
        return ToText(bytes) is { } text ? (text, null) : ("", base64);
    }

    /// <summary>The bytes of standard base64, or null.</summary>
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
