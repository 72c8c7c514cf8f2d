using System.Security.Cryptography;
using System.Text;

namespace TaskQueue.Engine.Callbacks;

/// <summary>
/// The secrets that callbacks of an owner are signed with: one from each configured key, by HKDF (RFC 5869), so that none is stored
/// and none tells of another.
/// </summary>
public static class WebhookSecrets
{
    internal const string Prefix = "whsec_";

    /// <summary>The secrets of an owner, in the order of the configured keys; null is nobody.</summary>
    public static IEnumerable<byte[]> Of(WebhookOptions options, string? owner)
    {
        ArgumentNullException.ThrowIfNull(options);
        var info = Encoding.UTF8.GetBytes($"webhook:{owner}");
        return options.Secrets().Select(key => HKDF.DeriveKey(HashAlgorithmName.SHA256, key, SHA256.HashSizeInBytes, salt: [], info));
    }

    /// <summary>A secret as libraries of Standard Webhooks read it.</summary>
    public static string Format(byte[] secret) => Prefix + Convert.ToBase64String(secret);
}
