using System.Text;

namespace TaskQueue.Engine.Auth;

/// <summary>Refuses secrets that can be guessed: whoever guesses one signs tokens for anybody (RFC 8725, 3.5).</summary>
internal static class SigningSecret
{
    /// <summary>HS256 needs a key as long as its hash (RFC 7518, 3.2).</summary>
    private const int MinBytes = 32;

    /// <summary>Random hexadecimal of 32 digits has fewer with a probability below one in a million.</summary>
    private const int MinDistinctBytes = 8;

    /// <summary>Published examples.</summary>
    private static readonly string[] Known =
    [
        "jwt-secret-key", "your-256-bit-secret", "a-string-secret-at-least-256-bits-long",
        "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    ];

    /// <summary>What is wrong with a secret, without the secret; or null.</summary>
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

    /// <summary>Whether it is one block of at most half its length again and again; the last one may be cut off.</summary>
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
