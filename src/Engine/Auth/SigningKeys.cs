using System.Security.Cryptography;

namespace TaskQueue.Engine.Auth;

/// <summary>Rules of keys with which callers sign requests.</summary>
public static class SigningKeys
{
    private const int MaxId = 128, MinSecretBytes = 16, MinDistinctBytes = 8;
    private const string PublicLabel = "PUBLIC KEY";

    private static readonly string P256 = ECCurve.NamedCurves.nistP256.Oid.Value!;

    /// <summary>Decodes a secret; null if it is not base64, too short, or easily guessed.</summary>
    public static byte[]? Secret(string? base64)
    {
        var bytes = new byte[base64?.Length ?? 0];
        return Convert.TryFromBase64String(base64 ?? "", bytes, out var length) && length >= MinSecretBytes
            && bytes.Take(length).Distinct().Count() >= MinDistinctBytes ? bytes[..length] : null;
    }

    /// <summary>Imports a public key; null if it is not one on P-256, or a private key.</summary>
    public static ECDsa? PublicKey(string? pem)
    {
        if (!PemEncoding.TryFind(pem, out var fields) || !pem.AsSpan()[fields.Label].SequenceEqual(PublicLabel))
            return null;
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(pem);
            if (key.ExportParameters(includePrivateParameters: false).Curve.Oid.Value == P256)
                return key;
        }
        catch (Exception fault) when (fault is ArgumentException or CryptographicException)
        {
            // Reported like any other key.
        }

        key.Dispose();
        return null;
    }

    /// <summary>What is wrong with the settings of a key, or null.</summary>
    internal static string? ProblemOf(string? id, string? secret, string? publicKey)
    {
        if (id is null)
            return secret is null && publicKey is null ? null : "has a SigningSecret or a SigningPublicKey, and no SigningId";
        if (id.Length is 0 or > MaxId || !id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
            return $"has a SigningId that is not 1 to {MaxId} letters, digits, - and _";
        if (secret is null == publicKey is null)
            return "has a SigningId, and needs either a SigningSecret or a SigningPublicKey";
        if (secret is not null && Secret(secret) is null)
            return $"has a SigningSecret that is not base64 of at least {MinSecretBytes} random bytes";
        using var key = publicKey is null ? null : PublicKey(publicKey);
        return publicKey is not null && key is null ? "has a SigningPublicKey that is not the PEM of a public key on P-256" : null;
    }
}
