using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>
/// Bounds messages. The broker closes the channel of one that is too large, and MassTransit then sends it again and again, and nothing
/// after it; so it must never get one.
/// </summary>
internal static class MessageSize
{
    /// <summary>RabbitMQ 4's <c>max_message_size</c>, unless it is configured.</summary>
    public const int Default = 16 * 1024 * 1024;

    /// <summary>Bytes of a message beside its entries, and of an entry beside its texts.</summary>
    public const int Envelope = 16 * 1024, Entry = 1024;

    /// <summary>Bytes kept of the error of an outcome that is too large.</summary>
    private const int MaxError = 4096;

    private const int EscapedBytes = 6;

    /// <summary>Characters that are escaped at a time.</summary>
    private const int Block = 1024;

    private static readonly SearchValues<char> Unescaped = SearchValues.Create(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#$%()*,-./:;=?@[]^_{|}~");

    /// <summary>The most bytes that a text has in the JSON of a message: cheap, but up to six times as many as it has.</summary>
    public static long Of(string? text)
    {
        var rest = text.AsSpan();
        var bytes = 0L;
        while (!rest.IsEmpty)
        {
            var plain = rest.IndexOfAnyExcept(Unescaped);
            if (plain < 0)
                return bytes + rest.Length;
            bytes += plain + EscapedBytes;
            rest = rest[(plain + 1)..];
        }

        return bytes;
    }

    /// <summary>The bytes that a text has in the JSON of a message, escaped as MassTransit does.</summary>
    public static long Exactly(string? text)
    {
        Span<char> escaped = stackalloc char[Block];
        var bytes = 0L;
        for (var rest = text.AsSpan(); !rest.IsEmpty;)
        {
            JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(rest, escaped, out var read, out var written);
            bytes += Encoding.UTF8.GetByteCount(escaped[..written]);
            rest = rest[read..];
        }

        return bytes;
    }

    /// <summary>The most bytes that the entry of a task has.</summary>
    public static long Of(SubmittedTask task) => Sum(task, Of);

    /// <summary>The most bytes that the entry of a task has; its texts are measured.</summary>
    public static long Exactly(SubmittedTask task) => Sum(task, Exactly);

    /// <summary>The most bytes that the entry of an outcome has, with the start before it.</summary>
    public static long Of(AttemptOutcome outcome) => Sum(outcome, Of);

    /// <summary>
    /// An outcome as it can be sent: without log and stack if it is too large with them, and a failure if it is too large without them.
    /// </summary>
    /// <param name="outcome">The outcome.</param>
    /// <param name="max">Bytes of a message.</param>
    public static AttemptOutcome Fit(AttemptOutcome outcome, int max)
    {
        var room = max - Envelope;
        if (Of(outcome) <= room || Sum(outcome, Exactly) <= room)
            return outcome;
        var bare = outcome with { Logs = null, Stack = null };
        var bytes = Sum(bare, Exactly);
        return bytes <= room ? bare : bare with
        {
            Result = null, SnoozeSeconds = null, Retryable = outcome.Error is not null && outcome.Retryable,
            Error = outcome.Error is { } error ? LogText.CutBytes(error, MaxError)
                : $"the result has about {bytes} bytes in a message, and the broker takes {max}",
        };
    }

    /// <summary>Splits a list into messages of bounded size; an entry that is larger is alone in one.</summary>
    public static IEnumerable<List<T>> Split<T>(IEnumerable<T> entries, Func<T, long> size, int max)
    {
        var (message, bytes) = (new List<T>(), (long)Envelope);
        foreach (var entry in entries)
        {
            var own = size(entry);
            if (message.Count > 0 && bytes + own > max)
            {
                yield return message;
                (message, bytes) = ([], Envelope);
            }

            message.Add(entry);
            bytes += own;
        }

        if (message.Count > 0)
            yield return message;
    }

    private static long Sum(SubmittedTask task, Func<string?, long> size) =>
        Entry + size(task.Queue) + size(task.Payload) + size(task.Name) + size(task.DedupeKey) + size(task.OrderingKey)
            + size(task.CallbackUrl) + (task.Tags?.Sum(size) ?? 0) + (32L * (task.Retry?.Intervals?.Count ?? 0));

    private static long Sum(AttemptOutcome outcome, Func<string?, long> size) =>
        (2 * Entry) + size(outcome.Result) + size(outcome.Error) + size(outcome.ErrorType) + size(outcome.Stack)
            + (outcome.Logs?.Sum(l => 128 + size(l.Message)) ?? 0);
}
