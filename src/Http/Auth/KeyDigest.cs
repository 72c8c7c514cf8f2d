using System.Buffers.Text;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace TaskQueue.Http.Auth;

/// <summary>SHA-256 of a key. Keys are random, so looking up hashes in a dictionary reveals nothing about them.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct KeyDigest
{
    /// <summary>Prefix of issued keys.</summary>
    public const string Prefix = "tq_";

    private const int RandomBytes = 32;
    private const int RandomLength = 43; // 32 bytes in base64url
    private const int StackBytes = 512;

    private readonly ulong _a, _b, _c, _d;

    private KeyDigest(ReadOnlySpan<byte> hash)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(hash);
        (_a, _b, _c, _d) = (words[0], words[1], words[2], words[3]);
    }

    /// <summary>Generates a random key.</summary>
    public static string NewKey() => Prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(RandomBytes));

    /// <summary>Whether a token could be an issued key.</summary>
    public static bool IsIssuedKey(string token) =>
        token.Length == Prefix.Length + RandomLength && token.StartsWith(Prefix, StringComparison.Ordinal)
        && token.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');

    /// <summary>Computes the digest of a key.</summary>
    public static KeyDigest Of(string key)
    {
        var length = Encoding.UTF8.GetMaxByteCount(key.Length);
        var bytes = length <= StackBytes ? stackalloc byte[StackBytes] : new byte[length];
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(key, bytes)], hash);
        return new KeyDigest(hash);
    }

    /// <summary>Parses a digest in its stored and configured form.</summary>
    public static KeyDigest FromHex(string hash) => new(Convert.FromHexString(hash));

    /// <summary>Formats the digest in hexadecimal.</summary>
    public string ToHex() => Convert.ToHexString(MemoryMarshal.AsBytes<ulong>([_a, _b, _c, _d]));
}
