using System.Numerics;
using TaskQueue.Bus.Connection;
using TaskQueue.Engine.Replies;

namespace TaskQueue.Bus.Dispatch;

/// <summary>
/// Finds out which sizes of messages the broker accepts before MassTransit gets a large one: it sends a message that is too large again for
/// hours, and nothing after it. A message of as many bytes, for nobody, is sent over a channel that may be closed. Few are: each doubles
/// the size that is known to be accepted.
/// </summary>
internal sealed class AcceptedSizes(WorkerChannels channels, BusAddress address, TimeProvider time)
{
    /// <summary>Bytes that no broker refuses; and what MassTransit adds to a message that we serialize: addresses and its host.</summary>
    private const int Unquestioned = 2048, Added = 2048;

    /// <summary>Bytes of an entry beside its texts, and of an escaped character.</summary>
    private const int EntryBytes = 512, EscapedBytes = 6;

    /// <summary>How long a refusal is believed: somebody may raise the limit.</summary>
    private static readonly TimeSpan Believed = TimeSpan.FromMinutes(1);

    private volatile Known _known = Known.Nothing;

    /// <summary>Asks again from now on: another connection may have another limit.</summary>
    public void Forget() => _known = Known.Nothing;

    /// <summary>Why the broker refuses a message; null if it accepts it.</summary>
    /// <param name="message">The message.</param>
    /// <param name="entries">Number of its entries.</param>
    /// <param name="chars">Characters of their texts.</param>
    /// <exception cref="Engine.BrokerSilentException">The broker is away.</exception>
    public async Task<string?> RefusalAsync<T>(T message, int entries, long chars)
        where T : class
    {
        if (address.RabbitMq is null || Unquestioned + (entries * (long)EntryBytes) + (EscapedBytes * chars) <= _known.Accepted)
            return null;
        var size = BusMessage.Of(message, address.User).Body.Length + Added;
        if (size <= _known.Accepted)
            return null;
        if (_known is { Refused: { } refused } known && size >= refused && time.GetElapsedTime(known.At) < Believed)
            return known.Reason;
        var roomy = (int)Math.Min(int.MaxValue / 2, BitOperations.RoundUpToPowerOf2((uint)size));
        return await ProbeAsync(roomy) is null ? null : await ProbeAsync(size);
    }

    private async Task<string?> ProbeAsync(int size)
    {
        // No process has an empty address.
        var sent = await channels.SendAsync(TaskReplies.Exchange, BusMessage.OfZeros(size, address.User), demandQueue: false);
        if (sent.Outcome == SendOutcome.Silent)
            return null; // unknown
        if (sent.Outcome != SendOutcome.TooLarge) // the size is checked before anything else
        {
            _known = _known with { Accepted = Math.Max(_known.Accepted, size) };
            return null;
        }

        _known = _known with { Refused = size, Reason = sent.Reason, At = time.GetTimestamp() };
        return sent.Reason;
    }

    private sealed record Known(int Accepted, int? Refused, string Reason, long At)
    {
        public static readonly Known Nothing = new(Unquestioned, null, "", 0);
    }
}
