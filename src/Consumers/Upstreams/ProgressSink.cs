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

    /// <summary>Sends an answer that is no stream, as one event.</summary>
    public Task TellAsync(UpstreamAnswer answer, CancellationToken cancellationToken) =>
        SendAsync(answer.Body, SseParser.EventTypeDefault, isRefusal: answer.Status is < 200 or > 299, cancellationToken);

    /// <summary>Forwards a stream of events.</summary>
    /// <param name="events">The stream.</param>
    /// <param name="timeout">How long the next event may take, not counting time spent on a slow caller.</param>
    /// <param name="limit">Cancelled when an event takes longer.</param>
    /// <param name="usage">Counts tokens; null: they are not counted.</param>
    /// <param name="cancellationToken">Cancels forwarding.</param>
    public async Task PassAsync(Stream events, TimeSpan timeout, CancellationTokenSource limit, StreamUsage? usage,
        CancellationToken cancellationToken)
    {
        await foreach (var item in SseParser.Create(events, (_, data) => UpstreamAnswer.ToJson(data)).EnumerateAsync(limit.Token))
        {
            limit.CancelAfter(Timeout.InfiniteTimeSpan);
            usage?.Add(item.Data);
            await SendAsync(item.Data, item.EventType, isRefusal: false, cancellationToken);
            limit.CancelAfter(timeout);
        }
    }

    /// <summary>Completes when the caller, or the broker, has the event.</summary>
    private Task SendAsync(string data, string name, bool isRefusal, CancellationToken cancellationToken) =>
        replies.ProgressAsync(replyTo, taskId,
            new TaskProgress((_next++).ToString(CultureInfo.InvariantCulture), name, data) { IsRefusal = isRefusal }, cancellationToken);
}
