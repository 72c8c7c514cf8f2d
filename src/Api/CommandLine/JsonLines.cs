using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace TaskQueue.Api.CommandLine;

/// <summary>A line of a file.</summary>
/// <param name="Number">Line number, from 1.</param>
/// <param name="Length">Length in bytes.</param>
/// <param name="Bytes">Null if longer than <see cref="JsonLines.Longest"/>.</param>
internal readonly record struct FileLine(long Number, long Length, byte[]? Bytes);

/// <summary>Reads a file line by line, holding one line at a time.</summary>
internal static class JsonLines
{
    public const int Longest = 16 * 1024 * 1024;

    public static async IAsyncEnumerable<FileLine> ReadAsync(Stream file, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reader = PipeReader.Create(file, new StreamPipeReaderOptions(bufferSize: 64 * 1024, leaveOpen: true));
        long number = 0, dropped = 0;
        while (true)
        {
            var read = await reader.ReadAsync(cancellationToken);
            var rest = read.Buffer;
            while (rest.PositionOf((byte)'\n') is { } end)
            {
                yield return ToLine(++number, rest.Slice(0, end), dropped, 1);
                (rest, dropped) = (rest.Slice(rest.GetPosition(1, end)), 0);
            }

            if (rest.Length > Longest)
                (rest, dropped) = (rest.Slice(rest.End), dropped + rest.Length);
            if (read.IsCompleted)
            {
                if (!rest.IsEmpty || dropped > 0)
                    yield return ToLine(++number, rest, dropped, 0);
                yield break;
            }

            reader.AdvanceTo(rest.Start, rest.End);
        }
    }

    private static FileLine ToLine(long number, ReadOnlySequence<byte> bytes, long dropped, int lineFeed) =>
        new(number, dropped + bytes.Length + lineFeed, dropped == 0 && bytes.Length <= Longest ? bytes.ToArray() : null);
}
