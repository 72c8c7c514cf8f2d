using System.Globalization;
using System.Text;

namespace TaskQueue.Engine.Encryption;

/// <summary>
/// Header of a stored content: 16 magic bytes, a kind, and the id of the key. Frames of 64 KiB follow, each with its own nonce and tag, so
/// that any part can be read alone. A content without a header is plain.
/// </summary>
internal static class FileHeader
{
    public const int Length = 64;

    /// <summary>Bytes of content in a frame; the last may have fewer.</summary>
    public const int FrameBytes = 64 * 1024;

    public const int SealedFrameBytes = FrameBytes + DataKey.Overhead;

    private const byte PlainKind = 0, SealedKind = 1;

    private const int KindAt = 16, IdLengthAt = 17, IdAt = 18;

    /// <summary>The magic bytes.</summary>
    public static ReadOnlySpan<byte> Magic => "TQenc\u0000\u00a7\u00b6\u008d\u0001\u00f7"u8;

    /// <summary>The header of a content encrypted with a key; null is a plain content that itself begins with the magic bytes.</summary>
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

    /// <summary>The id of the key of a content with a header; null if the content is plain.</summary>
    /// <exception cref="UnreadableDataException">The header is corrupt.</exception>
    public static string? KeyIdOf(ReadOnlySpan<byte> header)
    {
        if (header.Length < Length || header[KindAt] > SealedKind || header[IdLengthAt] > DataKey.MaxIdLength)
            throw UnreadableDataException.Malformed();
        return header[KindAt] == PlainKind ? null : Encoding.ASCII.GetString(header.Slice(IdAt, header[IdLengthAt]));
    }

    /// <summary>What a frame is bound to: its file, its number, and whether it is the last, so that none can be moved or cut off.</summary>
    public static byte[] PlaceOf(string fileId, long frame, bool isLast) =>
        Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"files.content|{fileId}|{frame}|{(isLast ? "last" : "more")}"));

    /// <summary>Maximum stored length of a content of the given length.</summary>
    public static long StoredLength(long length) => Length + length + ((length / FrameBytes) + 1) * DataKey.Overhead;
}
