using System.Globalization;
using System.Text;

namespace TaskQueue.Engine.Encryption;

/// <summary>
/// The first bytes of a stored content: 16 that no other content begins with, a kind, and the id of the key. Behind it lie frames of
/// 64 KiB, each with a nonce and a tag of its own, so that any part can be read alone. A content without a header is plain.
/// </summary>
internal static class FileHeader
{
    public const int Length = 64;

    /// <summary>Bytes of content in a frame; the last may have fewer.</summary>
    public const int FrameBytes = 64 * 1024;

    public const int SealedFrameBytes = FrameBytes + DataKey.Overhead;

    private const byte PlainKind = 0, SealedKind = 1;

    private const int KindAt = 16, IdLengthAt = 17, IdAt = 18;

    /// <summary>What a header begins with.</summary>
    public static ReadOnlySpan<byte> Magic => "TQenc\u0000\u00a7\u00b6\u008d\u0001\u00f7"u8;

    /// <summary>The header of a content that a key encrypts; null is one that is plain, but begins as a header does.</summary>
    public static byte[] Of(DataKey? key)
    {
        var header = new byte[Length];
        Magic.CopyTo(header);
        if (key is null)
            return header;
        header[KindAt] = SealedKind;
        header[IdLengthAt] = (byte)Encoding.ASCII.GetBytes(key.Id, header.AsSpan(IdAt));
        return header;
    }

    /// <summary>Whether a content begins with a header.</summary>
    public static bool IsThere(ReadOnlySpan<byte> begin) => begin.StartsWith(Magic);

    /// <summary>The id of the key of a content with a header; null where it is plain.</summary>
    /// <exception cref="UnreadableDataException">The header is broken.</exception>
    public static string? KeyIdOf(ReadOnlySpan<byte> header)
    {
        if (header.Length < Length || header[KindAt] > SealedKind || header[IdLengthAt] > DataKey.MaxIdLength)
            throw UnreadableDataException.Malformed();
        return header[KindAt] == PlainKind ? null : Encoding.ASCII.GetString(header.Slice(IdAt, header[IdLengthAt]));
    }

    /// <summary>What a frame is bound to: its file, its number, and whether it is the last, so that none can be moved or cut off.</summary>
    public static byte[] PlaceOf(string fileId, long frame, bool isLast) =>
        Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"files.content|{fileId}|{frame}|{(isLast ? "last" : "more")}"));

    /// <summary>Length of what is stored of a content of this length, at most.</summary>
    public static long StoredLength(long length) => Length + length + ((length / FrameBytes) + 1) * DataKey.Overhead;
}
