using System.Globalization;
using System.Net.ServerSentEvents;
using TaskQueue.Engine.Replies;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>Passes the answer to one task on to its caller, who reads it as events numbered from 0.</summary>
internal sealed class ProgressSink(IReplySender replies, string replyTo, Guid taskId)
{
    private int _next;

    /// <summary>Whether the caller has got anything: then nothing can be taken back and begun anew.</summary>
    public bool IsBegun => _next > 0;

    /// <summary>Passes one event on; returns when the caller, or the broker, has it.</summary>
    /// <param name="data">JSON text.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="name">What kind of event it is.</param>
    public Task TellAsync(string data, CancellationToken cancellationToken, string name = SseParser.EventTypeDefault) =>
        replies.ProgressAsync(replyTo, taskId, new TaskProgress((_next++).ToString(CultureInfo.InvariantCulture), name, data),
            cancellationToken);

    /// <summary>Passes a stream of events on.</summary>
    /// <param name="events">The stream.</param>
    /// <param name="timeout">How long the next event may take; a caller who reads slowly does not count.</param>
    /// <param name="limit">Cancelled when an event took longer.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task PassAsync(Stream events, TimeSpan timeout, CancellationTokenSource limit, CancellationToken cancellationToken)
    {
        await foreach (var item in SseParser.Create(events, (_, data) => UpstreamAnswer.ToJson(data)).EnumerateAsync(limit.Token))
        {
            limit.CancelAfter(Timeout.InfiniteTimeSpan);
            await TellAsync(item.Data, cancellationToken, item.EventType);
            limit.CancelAfter(timeout);
        }
    }
}
