using System.Buffers.Text;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Events;

/// <summary>A position in the outbox.</summary>
/// <param name="Offsets">The last id of each partition.</param>
/// <param name="Server">Mark of the database server that gave the ids: after a failover another event may have the same id; 0 if
/// unknown.</param>
public sealed record EventPosition(IReadOnlyList<long> Offsets, int Server);

/// <summary>
/// Encodes a position in the outbox as text that clients send back: the highest id, each partition's distance from it, and the mark of the
/// server, in groups of seven bits. Trailing partitions without events are omitted, and so is an unknown server.
/// </summary>
public static class EventCursor
{
    private const int MaxBytes = 10 * (TaskEvent.Partitions + 3);

    /// <summary>Formats a position.</summary>
    public static string ToText(ReadOnlySpan<long> cursors, int server = 0)
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
        if (server > 0)
            Write(bytes, ref length, server);
        return Base64Url.EncodeToString(bytes[..length]);
    }

    /// <summary>Parses a position; null if the text is invalid.</summary>
    public static EventPosition? Parse(string text)
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

        var server = bytes.IsEmpty ? 0 : Read(ref bytes);
        // Only the canonical text of a position is valid.
        return bytes.IsEmpty && server is >= 0 and <= int.MaxValue && ToText(cursors, (int)server) == text
            ? new EventPosition(cursors, (int)server) : null;
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
