using System.Buffers.Text;
using System.Text.Json;
using System.Text.Unicode;
using TaskQueue.Engine;

namespace TaskQueue.Http.Auth;

/// <summary>
/// Reads the header and claims of a compact JWT strictly: anything that parsers may interpret differently is rejected (RFC 8725,
/// 3.1, 3.6, 3.7 and 3.10). Does not verify the signature.
/// </summary>
internal static class TokenReader
{
    public const int MaxLength = 16 * 1024;
    private const int MaxKeyId = 256;
    private const int Parts = 3;
    private const string MediaType = "application/";

    /// <summary>Header parameters that change what is signed or how it is read (RFC 7515, 7516, 7797).</summary>
    private static readonly string[] Refused = ["crit", "zip", "enc", "b64", "cty"];

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    /// <summary>Reads the claims; null if the text is not such a token, or has another type.</summary>
    /// <param name="token">The text sent by the caller.</param>
    /// <param name="types">Accepted values of <c>typ</c>; empty for the default ones.</param>
    public static TokenClaims? Read(string token, IReadOnlyCollection<string> types)
    {
        if (token.Length > MaxLength || token.Split('.') is not { Length: Parts } parts || !parts.All(IsBase64Url))
            return null;
        return ReadObject(parts[0]) is { } header && IsPlain(header) && HasType(header, types) && ReadObject(parts[1]) is { } payload
            ? new TokenClaims(payload) : null;
    }

    /// <summary>Requires non-empty text without padding and white space, which decoders skip.</summary>
    private static bool IsBase64Url(string text) => text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');

    private static JsonElement? ReadObject(string part)
    {
        try
        {
            var json = Base64Url.DecodeFromChars(part);
            return Utf8.IsValid(json) && JsonElement.Parse(json, Strict) is { ValueKind: JsonValueKind.Object } element ? element : null;
        }
        catch (Exception fault) when (fault is FormatException or JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>
    /// Rejects critical, compressed, encrypted and nested tokens. <c>jku</c>, <c>jwk</c>, <c>x5u</c> and <c>x5c</c> are ignored, because
    /// keys come only from the configuration; <c>kid</c> only selects among them.
    /// </summary>
    private static bool IsPlain(JsonElement header) =>
        !Refused.Any(name => header.TryGetProperty(name, out _))
        && header.TryGetProperty("alg", out var algorithm) && TextRules.Read(algorithm) is { Length: > 0 }
        && (!header.TryGetProperty("kid", out var key) || (TextRules.Read(key) is { Length: <= MaxKeyId } id && !id.Any(char.IsControl)));

    private static bool HasType(JsonElement header, IReadOnlyCollection<string> types)
    {
        if (!header.TryGetProperty("typ", out var value))
            return types.Count == 0;
        if (TextRules.Read(value) is not { } type)
            return false;
        // RFC 7515, 4.1.9: the prefix may be omitted.
        if (type.StartsWith(MediaType, StringComparison.OrdinalIgnoreCase))
            type = type[MediaType.Length..];
        return types.Count == 0
            ? type.Equals("JWT", StringComparison.OrdinalIgnoreCase) || type.Equals("at+jwt", StringComparison.OrdinalIgnoreCase)
            : types.Contains(type, StringComparer.OrdinalIgnoreCase);
    }
}
