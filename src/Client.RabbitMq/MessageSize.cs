using System.Buffers;
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

    private static readonly SearchValues<char> Unescaped = SearchValues.Create(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#$%()*,-./:;=?@[]^_{|}~");

    /// <summary>The most bytes that a text has in the JSON of a message.</summary>
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

    /// <summary>The most bytes that the entry of a task has.</summary>
    public static long Of(SubmittedTask task) =>
        Entry + Of(task.Queue) + Of(task.Payload) + Of(task.Name) + Of(task.DedupeKey) + Of(task.OrderingKey) + Of(task.CallbackUrl)
            + (task.Tags?.Sum(t => Of(t)) ?? 0) + (32L * (task.Retry?.Intervals?.Count ?? 0));

    /// <summary>The most bytes that the entry of an outcome has, with the start before it.</summary>
    public static long Of(AttemptOutcome outcome) =>
        (2 * Entry) + Of(outcome.Result) + Of(outcome.Error) + Of(outcome.ErrorType) + Of(outcome.Stack)
            + (outcome.Logs?.Sum(l => 128 + Of(l.Message)) ?? 0);

    /// <summary>
    /// An outcome as it can be sent: without log and stack if it is too large with them, and a failure if it is too large without them.
    /// </summary>
    /// <param name="outcome">The outcome.</param>
    /// <param name="max">Bytes of a message.</param>
    public static AttemptOutcome Fit(AttemptOutcome outcome, int max)
    {
        var room = max - Envelope;
        if (Of(outcome) <= room)
            return outcome;
        var bare = outcome with { Logs = null, Stack = null };
        var bytes = Of(bare);
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
}
