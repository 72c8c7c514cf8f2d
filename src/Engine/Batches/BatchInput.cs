using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Files;

namespace TaskQueue.Engine.Batches;

/// <summary>A non-blank line of an input.</summary>
/// <param name="Number">Line number from 1, counting blank lines.</param>
/// <param name="End">Offset of the end of the line in bytes, including its line break.</param>
/// <param name="Text">Its bytes without the line break; null if the line is too long.</param>
public sealed record InputLine(int Number, long End, byte[]? Text);

/// <summary>Reads an input line by line. Holds at most one line in memory, and nothing of a line that is too long.</summary>
public static class BatchInput
{
    /// <summary>Bytes allowed for the other members around the request of a line.</summary>
    private const int Envelope = 16 * 1024;

    private static ReadOnlySpan<byte> ByteOrderMark => "\uFEFF"u8;

    /// <summary>Opens the content of an input; null if it was deleted.</summary>
    public static async Task<Stream?> OpenAsync(FileService files, string id, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(files);
        if (await files.FindAsync(id, Access.All, cancellationToken) is not { } file)
            return null;
        try
        {
            return await files.OpenReadAsync(file, cancellationToken);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Reads lines from an offset, which must be the start of a line.</summary>
    /// <param name="input">The input; must be seekable.</param>
    /// <param name="from">Offset in bytes to start from.</param>
    /// <param name="maxPayload">Maximum bytes of the request in a line.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
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
                // Skip the rest of the line.
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
