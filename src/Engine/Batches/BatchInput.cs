using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Files;

namespace TaskQueue.Engine.Batches;

/// <summary>A line of an input that is not blank.</summary>
/// <param name="Number">From 1, blank ones counted.</param>
/// <param name="End">Bytes of the input up to its end, its line break among them.</param>
/// <param name="Text">Its bytes without line break; null where they are too many.</param>
public sealed record InputLine(int Number, long End, byte[]? Text);

/// <summary>Reads the lines of an input one by one, holding no more than one in memory, and of one that is too long nothing.</summary>
public static class BatchInput
{
    /// <summary>Room around the request of a line for its other members.</summary>
    private const int Envelope = 16 * 1024;

    private static ReadOnlySpan<byte> ByteOrderMark => "\uFEFF"u8;

    /// <summary>The content of an input; null where it was deleted.</summary>
    public static async Task<Stream?> OpenAsync(FileService files, string id, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(files);
        if (await files.FindAsync(id, Access.All, cancellationToken) is not { } file)
            return null;
        try
        {
            return files.OpenRead(file);
        }
        catch (Exception gone) when (gone is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>The lines from a place on, which must be the start of one.</summary>
    /// <param name="input">Can be sought.</param>
    /// <param name="from">Bytes to leave out.</param>
    /// <param name="maxPayload">Most bytes of the request in a line.</param>
    /// <param name="cancellationToken">Stops the read.</param>
    public static async IAsyncEnumerable<InputLine> ReadAsync(Stream input, long from, int maxPayload,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(input);
        var maxLine = maxPayload + Envelope;
        input.Seek(from, SeekOrigin.Begin);
        var reader = PipeReader.Create(input, new StreamPipeReaderOptions(leaveOpen: true, bufferSize: 64 * 1024));
        var (number, at, tooLong) = (0, from, false);
        while (true)
        {
            var read = await reader.ReadAsync(cancellationToken);
            var buffer = read.Buffer;
            while (buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = buffer.Slice(0, end);
                at += line.Length + 1;
                number++;
                if (Take(line, number, at, tooLong || line.Length > maxLine, isFirst: from == 0 && number == 1) is { } taken)
                    yield return taken;
                tooLong = false;
                buffer = buffer.Slice(buffer.GetPosition(1, end));
            }

            if (read.IsCompleted)
            {
                if ((buffer.Length > 0 || tooLong)
                    && Take(buffer, number + 1, at + buffer.Length, tooLong || buffer.Length > maxLine, isFirst: from == 0
                        && number == 0) is { } last)
                    yield return last;
                break;
            }

            if (buffer.Length > maxLine)
            {
                // The rest of it is read over.
                tooLong = true;
                at += buffer.Length;
                buffer = buffer.Slice(buffer.End);
            }

            reader.AdvanceTo(buffer.Start, read.Buffer.End);
        }

        await reader.CompleteAsync();
    }

    private static InputLine? Take(ReadOnlySequence<byte> line, int number, long end, bool tooLong, bool isFirst)
    {
        if (tooLong)
            return new InputLine(number, end, null);
        var bytes = line.ToArray().AsSpan();
        if (isFirst && bytes.StartsWith(ByteOrderMark))
            bytes = bytes[ByteOrderMark.Length..];
        bytes = bytes.Trim(" \t\r"u8);
        return bytes.IsEmpty ? null : new InputLine(number, end, bytes.ToArray());
    }
}
