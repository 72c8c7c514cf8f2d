using System.Diagnostics;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Tasks;

/// <summary>Tracing activities: one for sending a task, and one for processing each attempt, in the trace of the sender.</summary>
public static class TaskTrace
{
    /// <summary>Name of the activity source.</summary>
    public const string SourceName = "TaskQueue";

    private static readonly ActivitySource Source = new(SourceName);

    /// <summary>Starts the activity of a worker that runs an attempt; null without listeners.</summary>
    /// <param name="queue">Base name.</param>
    /// <param name="id">The task.</param>
    /// <param name="attempt">Number of the attempt.</param>
    /// <param name="name">Name of the task, or null.</param>
    /// <param name="headers">Headers of the task, which may contain the trace of its sender.</param>
    public static Activity? StartProcess(string queue, Guid id, int attempt, string? name, string? headers)
    {
        if (!Source.HasListeners())
            return null;
        var trace = TraceHeaders.Of(headers);
        var isKnown = ActivityContext.TryParse(trace?.Parent, trace?.State, isRemote: true, out var parent);
        // The delivery of the task may have contained others.
        ActivityLink[] links = isKnown && Activity.Current is { } delivery ? [new ActivityLink(delivery.Context)] : [];
        var activity = Source.StartActivity($"process {queue}", ActivityKind.Consumer, parent, links: links);
        Describe(activity, queue, "process")?.SetTag("messaging.message.id", id.ToString()).SetTag("taskqueue.attempt", attempt)
            .SetTag("taskqueue.name", name);
        return activity;
    }

    /// <summary>The trace to continue in a request of a worker: its own, otherwise that of the task.</summary>
    public static TraceHeaders? Onward(string? headers) =>
        Activity.Current is { } own && own.Source == Source ? Of(own) : TraceHeaders.Of(headers);

    /// <summary>Starts the activity that sends tasks; null without listeners.</summary>
    internal static Activity? StartSend(IReadOnlyList<TaskSubmission> submissions)
    {
        if (!Source.HasListeners() || submissions.Count == 0)
            return null;
        var queue = submissions.All(s => s.Queue == submissions[0].Queue) ? submissions[0].Queue : null;
        var activity = Describe(Source.StartActivity(queue is null ? "send" : $"send {queue}", ActivityKind.Producer), queue, "send");
        return submissions.Count == 1
            ? activity?.SetTag("messaging.message.id", submissions[0].Id.ToString())
            : activity?.SetTag("messaging.batch.message_count", submissions.Count);
    }

    /// <summary>
    /// The trace context to store with sent tasks, or null. A request that is not recorded is not part of the trace, but its parent may be.
    /// </summary>
    /// <param name="send">See <see cref="StartSend"/>.</param>
    internal static TraceHeaders? Sent(Activity? send)
    {
        if (send is { Recorded: true })
            return Of(send);
        if ((send is null ? Activity.Current : send.Parent) is not { IdFormat: ActivityIdFormat.W3C } request)
            return null;
        return request is { Parent: null, ParentId: { } remote } ? new TraceHeaders(remote, request.TraceStateString)
            : request.Recorded ? Of(request)
            : null;
    }

    private static TraceHeaders Of(Activity activity) => new(activity.Id!, activity.TraceStateString);

    private static Activity? Describe(Activity? activity, string? queue, string verb) =>
        activity?.SetTag("messaging.system", "taskqueue").SetTag("messaging.operation.type", verb)
            .SetTag("messaging.destination.name", queue);
}
