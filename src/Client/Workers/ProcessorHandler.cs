using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace TaskQueue.Client;

/// <summary>Runs the processor for a task's name on decoded data.</summary>
internal sealed class ProcessorHandler(TaskQueueWorkerOptions options, IServiceProvider services) : IAttemptHandler
{
    private const int MostShown = 10;

    private static readonly TimeSpan UnknownDelay = TimeSpan.FromSeconds(10);

    private readonly ITaskPayloadCodec? _codec = options.Codec ?? services.GetService<IOptions<TaskQueueClientOptions>>()?.Value.Codec;

    private readonly TimeProvider _time = services.GetService<TimeProvider>() ?? TimeProvider.System;

    public Activity? StartActivity(WorkItem item)
    {
        _ = ActivityContext.TryParse(item.TraceParent, item.TraceState, isRemote: true, out var parent);
        var activity = ClientTelemetry.Source.StartActivity($"process {item.Queue}", ActivityKind.Consumer, parent);
        activity?.SetTag("messaging.system", "taskqueue")
            .SetTag("messaging.operation.type", "process")
            .SetTag("messaging.destination.name", item.Queue)
            .SetTag("messaging.message.id", item.Id.ToString())
            .SetTag("taskqueue.task.name", item.Name)
            .SetTag("taskqueue.task.attempt", item.Attempt);
        return activity;
    }

    public async Task<TaskOutcome> RunAsync(Attempt attempt)
    {
        // A payload that cannot be decoded is retried: another worker may have the key.
        var payload = _codec.DecodePayload(attempt.Item.Id, attempt.Item.Payload);
        if (options.ProcessorOf(attempt.Item.Name) is not { } processor)
            return Unknown(attempt.Item, payload).Encode(_codec);
        var outcome = await processor(services, new TaskContext(attempt, payload, _codec, _time), attempt.Cancelled)
            ?? TaskOutcome.Failed($"the processor of {attempt.Item.Name} returned null");
        return outcome.Encode(_codec);
    }

    private static string Known(IReadOnlyCollection<string> names) =>
        names.Count == 0 ? "; it has none at all" : $"; it has {string.Join(", ", names.Order(StringComparer.Ordinal).Take(MostShown))}"
            + (names.Count > MostShown ? ", …" : "");

    private TaskOutcome Unknown(WorkItem item, string payload) =>
        options.UnknownNames switch
        {
            UnknownNames.Echo => TaskOutcome.CompletedJson(payload),
            UnknownNames.Fail => TaskOutcome.Failed($"worker {options.Name} has no processor for '{item.Name}'"
                + Known(options.ProcessorNames)),
            _ => TaskOutcome.Snooze(UnknownDelay),
        };
}
