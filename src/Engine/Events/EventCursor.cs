using System.Buffers.Text;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Events;

/// <summary>
/// A place in the events of all streams, as text that clients hand back: the highest id, and how far each stream is behind it,
/// as numbers of seven bits a byte. Streams at the end that have none are left out.
/// </summary>
public static class EventCursor
{
    private const int MaxBytes = 10 * (TaskEvent.Streams + 2);

    /// <summary>The text of a place.</summary>
    public static string ToText(ReadOnlySpan<long> cursors)
    {
        Span<byte> bytes = stackalloc byte[MaxBytes];
        var (length, highest) = (0, 0L);
        foreach (var cursor in cursors)
            highest = Math.Max(highest, cursor);
        var streams = cursors.LastIndexOfAnyExcept(0) + 1;
        Write(bytes, ref length, highest);
        Write(bytes, ref length, streams);
        foreach (var cursor in cursors[..streams])
            Write(bytes, ref length, highest - cursor);
        return Base64Url.EncodeToString(bytes[..length]);
    }

    /// <summary>The place of a text; null where it is none.</summary>
    public static long[]? Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Span<byte> buffer = stackalloc byte[MaxBytes];
        if (text.Length > 2 * MaxBytes || !Base64Url.IsValid(text) || !Base64Url.TryDecodeFromChars(text, buffer, out var length))
            return null;
        ReadOnlySpan<byte> bytes = buffer[..length];
        if (Read(ref bytes) is not { } highest || Read(ref bytes) is not { } streams || streams > TaskEvent.Streams)
            return null;
        var cursors = new long[TaskEvent.Streams];
        for (var i = 0; i < streams; i++)
        {
            if (Read(ref bytes) is not { } behind || behind > highest)
                return null;
            cursors[i] = highest - behind;
        }

        return bytes.IsEmpty && ToText(cursors) == text ? cursors : null; // one text a place
    }

    private static void Write(Span<byte> bytes, ref int length, long number)
    {
        for (; number >= 0x80; number >>= 7)
            bytes[length++] = (byte)(number | 0x80);
        bytes[length++] = (byte)number;
    }

    private static long? Read(ref ReadOnlySpan<byte> bytes)
    {
        var number = 0L;
        for (var i = 0; i < bytes.Length && i < 9; i++)
        {
            number |= (bytes[i] & 0x7FL) << (7 * i);
            if (bytes[i] < 0x80)
            {
                bytes = bytes[(i + 1)..];
                return number;
            }
        }

        return null;
    }
}
