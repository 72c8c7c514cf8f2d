using System.Buffers.Text;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Events;

/// <summary>
/// Encodes a position in the outbox as text that clients send back: the highest id, and each partition's distance from it, in groups of
/// seven bits. Trailing partitions without events are omitted.
/// </summary>
public static class EventCursor
{
    private const int MaxBytes = 10 * (TaskEvent.Partitions + 2);

    /// <summary>Formats a position.</summary>
    public static string ToText(ReadOnlySpan<long> cursors)
    {
        Span<byte> bytes = stackalloc byte[MaxBytes];
        var (length, highest) = (0, 0L);
        foreach (var cursor in cursors)
            highest = Math.Max(highest, cursor);
        var partitions = cursors.LastIndexOfAnyExcept(0) + 1;
        Write(bytes, ref length, highest);
        Write(bytes, ref length, partitions);
        foreach (var cursor in cursors[..partitions])
            Write(bytes, ref length, highest - cursor);
        return Base64Url.EncodeToString(bytes[..length]);
    }

    /// <summary>Parses a position; null if the text is invalid.</summary>
    public static long[]? Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Span<byte> buffer = stackalloc byte[MaxBytes];
        if (text.Length > 2 * MaxBytes || !Base64Url.IsValid(text) || !Base64Url.TryDecodeFromChars(text, buffer, out var length))
            return null;
        ReadOnlySpan<byte> bytes = buffer[..length];
        if (Read(ref bytes) is not { } highest || Read(ref bytes) is not { } partitions || partitions > TaskEvent.Partitions)
            return null;
        var cursors = new long[TaskEvent.Partitions];
        for (var i = 0; i < partitions; i++)
        {
            if (Read(ref bytes) is not { } behind || behind > highest)
                return null;
            cursors[i] = highest - behind;
        }

        return bytes.IsEmpty && ToText(cursors) == text ? cursors : null; // only the canonical text of a position is valid
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
