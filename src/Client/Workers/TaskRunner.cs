using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace TaskQueue.Client;

/// <summary>Runs processors, so many at once.</summary>
internal sealed partial class TaskRunner(InFlightAttempts attempts, TaskQueueWorkerOptions options, IServiceProvider services, TimeProvider time, ILogger logger)
{
    private readonly ITaskPayloadCodec? _codec = options.Codec ?? services.GetService<IOptions<TaskQueueClientOptions>>()?.Value.Codec;

    private static readonly TimeSpan UnknownDelay = TimeSpan.FromSeconds(10);

    /// <summary>Ends when no more attempts are taken and what was begun has ended.</summary>
    public Task RunAsync() => Task.WhenAll(Enumerable.Range(0, options.Concurrency).Select(_ => Task.Run(LoopAsync)));

    private async Task LoopAsync()
    {
        await foreach (var attempt in attempts.Waiting.ReadAllAsync())
        {
            attempts.Begun();
            if (!attempt.TryBegin(time))
                continue;
            var outcome = await RunAsync(attempt);
            if (!attempts.Settle(attempt, outcome))
                LogDropped(attempt.Item.Id, attempt.Item.Attempt);
        }
    }

    private async Task<TaskOutcome> RunAsync(Attempt attempt)
    {
        var item = attempt.Item;
        using var scope = LogScope(logger, item.Id, item.Attempt);
        using var activity = StartActivity(item);
        var outcome = await ProcessAsync(attempt);
        if (outcome.Error is { } error)
            activity?.SetStatus(ActivityStatusCode.Error, error);
        return outcome;
    }

    private async Task<TaskOutcome> ProcessAsync(Attempt attempt)
    {
        try
        {
            // Tried again where it cannot be decoded: another worker may have the key.
            var payload = _codec.DecodePayload(attempt.Item.Id, attempt.Item.Payload);
            if (options.ProcessorOf(attempt.Item.Name) is not { } processor)
                return Unknown(attempt.Item, payload).Encode(_codec);
            var outcome = await processor(services, new TaskContext(attempt, payload, _codec), attempt.Cancelled)
                ?? TaskOutcome.Failed($"the processor of {attempt.Item.Name} returned null");
            return outcome.Encode(_codec);
        }
#pragma warning disable CA1031 // what a processor throws is an outcome
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!attempt.Cancelled.IsCancellationRequested)
                LogThrew(fault, attempt.Item.Name, attempt.Item.Id, attempt.Item.Attempt);
            return TaskOutcome.Threw(fault.Message is { Length: > 0 } message ? message : fault.GetType().Name);
        }
    }

    private TaskOutcome Unknown(WorkItem item, string payload) =>
        options.UnknownNames switch
        {
            UnknownNames.Echo => TaskOutcome.Completed(payload),
            UnknownNames.Fail => TaskOutcome.Failed($"no processor for '{item.Name}'"),
            _ => TaskOutcome.Snooze(UnknownDelay),
        };

    private static Activity? StartActivity(WorkItem item)
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

    private static readonly Func<ILogger, Guid, int, IDisposable?> LogScope = LoggerMessage.DefineScope<Guid, int>("task {TaskId} attempt {Attempt}");

    [LoggerMessage(LogLevel.Warning, "The processor of {Name} threw, task {TaskId} attempt {Attempt}")]
    private partial void LogThrew(Exception fault, string? name, Guid taskId, int attempt);

    [LoggerMessage(LogLevel.Information, "The outcome of task {TaskId} attempt {Attempt} was dropped: the task was lost, or given back meanwhile")]
    private partial void LogDropped(Guid taskId, int attempt);
}
