using System.Security.Cryptography;
using System.Text;

namespace TaskQueue.Engine.Callbacks;

/// <summary>
/// Signing secrets of an owner's callbacks: one derived from each configured key by HKDF (RFC 5869), so that none is stored and none
/// reveals another.
/// </summary>
public static class WebhookSecrets
{
    internal const string Prefix = "whsec_";

    /// <summary>The secrets of an owner, in the order of the configured keys; null is no owner.</summary>
    public static IEnumerable<byte[]> Of(WebhookOptions options, string? owner)
    {
        ArgumentNullException.ThrowIfNull(options);
        var info = Encoding.UTF8.GetBytes($"webhook:{owner}");
        return options.Secrets().Select(key => HKDF.DeriveKey(HashAlgorithmName.SHA256, key, SHA256.HashSizeInBytes, salt: [], info));
    }

    /// <summary>Formats a secret for Standard Webhooks libraries.</summary>
    public static string Format(byte[] secret) => Prefix + Convert.ToBase64String(secret);
}
