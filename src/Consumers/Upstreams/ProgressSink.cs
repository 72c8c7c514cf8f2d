using System.Globalization;
using System.Net.ServerSentEvents;
using TaskQueue.Engine.Replies;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>Forwards the response to one task to its caller, as events numbered from 0.</summary>
internal sealed class ProgressSink(IReplySender replies, string replyTo, Guid taskId)
{
    private int _next;

    /// <summary>Whether the caller has received an event: then the request can no longer be retried.</summary>
    public bool IsBegun => _next > 0;

    /// <summary>Forwards one event; completes when the caller, or the broker, has it.</summary>
    /// <param name="data">JSON text.</param>
    /// <param name="cancellationToken">Cancels sending.</param>
    /// <param name="name">Event type.</param>
    public Task TellAsync(string data, CancellationToken cancellationToken, string name = SseParser.EventTypeDefault) =>
        replies.ProgressAsync(replyTo, taskId, new TaskProgress((_next++).ToString(CultureInfo.InvariantCulture), name, data),
            cancellationToken);

    /// <summary>Forwards a stream of events.</summary>
    /// <param name="events">The stream.</param>
    /// <param name="timeout">How long the next event may take, not counting time spent on a slow caller.</param>
    /// <param name="limit">Cancelled when an event takes longer.</param>
    /// <param name="cancellationToken">Cancels forwarding.</param>
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
