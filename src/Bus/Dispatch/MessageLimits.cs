using System.Text.Json;
using Microsoft.Extensions.Options;
using TaskQueue.Bus.Connection;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Bus.Dispatch;

/// <summary>Bounds the size of messages.</summary>
internal sealed class MessageLimits(BusAddress address, IOptions<EngineOptions> options)
{
    /// <summary>Maximum entries of a message. Events have no payloads, and errors are truncated.</summary>
    public const int MaxEntries = 200;

    /// <summary>Bytes of an escaped character, and the maximum overhead of a message beside its texts.</summary>
    private const int EscapedBytes = 6, Envelope = 128 * 1024;

    /// <summary>Maximum characters of errors in a message; a larger one is sent alone.</summary>
    private const int MaxMessageChars = 1024 * 1024;

    /// <summary>Maximum characters that stay within the broker's limit in escaped form, and that keep messages small.</summary>
    public int MaxChars => Math.Min(MaxMessageChars, (options.Value.MaxMessageBytes - Envelope) / EscapedBytes);

    /// <summary>Rejects what the broker would reject. Characters are counted in escaped form where that can matter.</summary>
    public void Demand(string? text, string? more = null)
    {
        if (address.RabbitMq is null || (text?.Length ?? 0) + (more?.Length ?? 0) <= MaxChars)
            return;
        var bytes = (long)Envelope + Escaped(text) + Escaped(more);
        if (bytes > options.Value.MaxMessageBytes)
            throw new MessageTooLargeException($"its message has about {bytes} bytes, and TaskQueue:MaxMessageBytes is "
                + $"{options.Value.MaxMessageBytes}");
    }

    /// <summary>Splits the steps of events into messages of bounded size.</summary>
    /// <exception cref="MessageTooLargeException">A single step is too large.</exception>
    public IEnumerable<List<TaskStep>> Steps(IEnumerable<TaskEvent> events)
    {
        var group = new List<TaskStep>();
        var chars = 0;
        foreach (var e in events)
        {
            var length = e.Error?.Length ?? 0;
            Demand(e.Error);
            if (group.Count == MaxEntries || (group.Count > 0 && chars + length > MaxChars))
            {
                yield return group;
                group = [];
                chars = 0;
            }

            group.Add(new(e.TaskId, e.Queue, e.Tier, e.Attempt, e.At, e.DueAt, e.Worker, e.Error));
            chars += length;
        }

        if (group.Count > 0)
            yield return group;
    }

    private static int Escaped(string? text) => text is null ? 0 : JsonEncodedText.Encode(text).EncodedUtf8Bytes.Length;
}

/// <summary>A message exceeds the broker's limit.</summary>
internal sealed class MessageTooLargeException(string message) : Exception(message);
