using System.Buffers.Binary;
using System.Buffers.Text;

namespace TaskQueue.Engine.Search;

/// <summary>Where the next page of a search starts, and the total of its first page.</summary>
/// <param name="Before">Only tasks that are listed under older ids follow.</param>
/// <param name="Total">The total of the search.</param>
public sealed record SearchCursor(Guid Before, SearchTotal Total)
{
    private const int Bytes = 16 + 8;

    /// <summary>The first page, of a search whose total nobody wants.</summary>
    internal static readonly SearchCursor First = new(Guid.AllBitsSet, new SearchTotal(0, Exact: false));

    /// <summary>The text that clients send back.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        Before.TryWriteBytes(bytes, bigEndian: true, out _);
        BinaryPrimitives.WriteInt64BigEndian(bytes[16..], (Total.Count << 1) | (Total.Exact ? 1L : 0L));
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>Parses a text; null if it is none of ours.</summary>
    public static SearchCursor? Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Span<byte> bytes = stackalloc byte[Bytes];
        if (text.Length != Base64Url.GetEncodedLength(Bytes) || !Base64Url.IsValid(text)
            || !Base64Url.TryDecodeFromChars(text, bytes, out var length) || length != Bytes)
            return null;
        var total = BinaryPrimitives.ReadInt64BigEndian(bytes[16..]);
        var cursor = new SearchCursor(new Guid(bytes[..16], bigEndian: true), new SearchTotal(total >> 1, (total & 1) == 1));
        return total >= 0 && cursor.ToString() == text ? cursor : null;
    }
}
