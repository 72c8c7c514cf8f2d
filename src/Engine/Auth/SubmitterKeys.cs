using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace TaskQueue.Engine.Auth;

/// <summary>
/// The key that a task was submitted with, so that its workers can act as the submitter (bella.md 1.1). Kept as the name of a
/// configured key, or encrypted; never in clear.
/// </summary>
public sealed class SubmitterKeys(IOptionsMonitor<AuthOptions> options, TimeProvider time)
{
    private const string ByName = "name:", Encrypted = "aes:";
    private const int NonceBytes = 12, TagBytes = 16;

    /// <summary>What to keep with a task; null where the key cannot be kept.</summary>
    /// <param name="name">Name of the caller, where it is known.</param>
    /// <param name="key">The key as it was presented.</param>
    public string? Keep(string? name, string? key)
    {
        if (key is null)
            return null;
        if (name is not null && options.CurrentValue.Keys.Any(k => k.Name == name && k.Key == key))
            return ByName + name;
        if (options.CurrentValue.SecretKey is not { } secret)
            return null;
        var (plain, nonce, tag) = (Encoding.UTF8.GetBytes(key), RandomNumberGenerator.GetBytes(NonceBytes), new byte[TagBytes]);
        var hidden = new byte[plain.Length];
        using var aes = new AesGcm(Convert.FromBase64String(secret), TagBytes);
        aes.Encrypt(nonce, plain, hidden, tag);
        return Encrypted + Convert.ToBase64String([.. nonce, .. tag, .. hidden]);
    }

    /// <summary>
    /// The key; null where it was not kept, or cannot be had any more. Of a name with several keys, one that is valid: the
    /// one that the task came with may have been replaced since.
    /// </summary>
    public string? Reveal(string? kept)
    {
        if (kept is null)
            return null;
        if (kept.StartsWith(ByName, StringComparison.Ordinal))
            return options.CurrentValue.Keys.FirstOrDefault(k => k.Name == kept[ByName.Length..] && k.Key is not null && !(k.ExpiresAt <= time.GetUtcNow()))?.Key;
        return kept.StartsWith(Encrypted, StringComparison.Ordinal) && options.CurrentValue.SecretKey is { } secret ? Decrypt(kept[Encrypted.Length..], secret) : null;
    }

    private static string? Decrypt(string text, string secret)
    {
        try
        {
            var bytes = Convert.FromBase64String(text);
            var plain = new byte[bytes.Length - NonceBytes - TagBytes];
            using var aes = new AesGcm(Convert.FromBase64String(secret), TagBytes);
            aes.Decrypt(bytes.AsSpan(0, NonceBytes), bytes.AsSpan(NonceBytes + TagBytes), bytes.AsSpan(NonceBytes, TagBytes), plain);
            return Encoding.UTF8.GetString(plain);
        }
        catch (Exception fault) when (fault is CryptographicException or FormatException or OverflowException)
        {
            return null; // of another secret key
        }
    }
}
