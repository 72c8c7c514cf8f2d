namespace TaskQueue.Adapters.OpenAI.Batches;

/// <summary>Measures the first line of an input before it is read as a whole.</summary>
internal static class FirstLine
{
    /// <summary>
    /// Memory of a line that is parsed, as a multiple of its length: buffers, copies without blanks, and a text of its request.
    /// </summary>
    public const int Copies = 6;

    private const int Buffer = 16 * 1024;

    /// <summary>Characters of lines that are skipped, and the byte order mark.</summary>
    private static ReadOnlySpan<byte> Blanks => " \t\r\uFEFF"u8;

    /// <summary>The length of the longest line up to the first that is not blank, in bytes.</summary>
    /// <param name="content">The input, from its start.</param>
    /// <param name="most">Longer lines are not held in memory.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    public static async Task<long> MeasureAsync(Stream content, long most, CancellationToken cancellationToken)
    {
        var buffer = new byte[Buffer];
        var (longest, length, isBlank) = (0L, 0L, true);
        while (length < most && await content.ReadAsync(buffer, cancellationToken) is var read and > 0)
        {
            for (var at = 0; at < read;)
            {
                var end = Array.IndexOf(buffer, (byte)'\n', at, read - at);
                var next = end < 0 ? read : end;
                length += next - at;
                longest = Math.Max(longest, length);
                isBlank = isBlank && buffer.AsSpan(at, next - at).Trim(Blanks).IsEmpty;
                if (end >= 0 && !isBlank)
                    return Math.Min(longest, most);
                if (end >= 0)
                    length = 0;
                at = next + 1;
            }
        }

        return Math.Min(longest, most);
    }
}
