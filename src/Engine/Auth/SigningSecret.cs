using System.Text;

namespace TaskQueue.Engine.Auth;

/// <summary>Rejects secrets that can be guessed: with the secret anyone can sign tokens for any caller (RFC 8725, 3.5).</summary>
internal static class SigningSecret
{
    /// <summary>HS256 requires a key at least as long as its hash (RFC 7518, 3.2).</summary>
    private const int MinBytes = 32;

    /// <summary>32 random hexadecimal digits have fewer distinct bytes with a probability below one in a million.</summary>
    private const int MinDistinctBytes = 8;

    /// <summary>Secrets from published examples.</summary>
    private static readonly string[] Known =
    [
        "jwt-secret-key", "your-256-bit-secret", "a-string-secret-at-least-256-bits-long",
        "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    ];

    /// <summary>Why a secret is rejected, without the secret itself; or null.</summary>
    public static string? Problem(string secret)
    {
        var bytes = Encoding.UTF8.GetBytes(secret);
        return Known.Contains(secret.Trim(), StringComparer.OrdinalIgnoreCase)
            ? "is a published example; make one with 'openssl rand -base64 48'"
            : bytes.Length < MinBytes ? $"must have at least {MinBytes} bytes; make one with 'openssl rand -base64 48'"
            : bytes.Distinct().Count() < MinDistinctBytes
                ? $"has fewer than {MinDistinctBytes} different bytes; make one with 'openssl rand -base64 48'"
            : Repeats(bytes) ? "repeats a shorter text; make one with 'openssl rand -base64 48'"
            : null;
    }

    /// <summary>Whether the secret repeats one block of at most half its length; the last repetition may be truncated.</summary>
    private static bool Repeats(ReadOnlySpan<byte> bytes)
    {
        for (var period = 1; period <= bytes.Length / 2; period++)
        {
            if (bytes[period..].SequenceEqual(bytes[..^period]))
                return true;
        }

        return false;
    }
}
