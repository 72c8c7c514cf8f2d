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

    private readonly ClientMetrics? _metrics = services.GetService<ClientMetrics>();

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
        var processor = options.ProcessorOf(attempt.Item.Name);
        using var measured = _metrics?.Begin(attempt, isKnown: processor is not null);
        try
        {
            // A payload that cannot be decoded is retried: another worker may have the key.
            var payload = _codec.DecodePayload(attempt.Item.Id, attempt.Item.Payload);
            var outcome = processor is null ? Unknown(attempt.Item, payload)
                : await RunAsync(processor, new TaskContext(attempt, payload, _codec, _time), attempt.Cancelled);
            measured?.End(outcome);
            return outcome.Encode(_codec);
        }
        catch (Exception fault)
        {
            measured?.End(fault);
            throw;
        }
    }

    /// <summary>Runs the middleware and the processor, in a scope of the attempt if any of them needs one.</summary>
    private async Task<TaskOutcome> RunAsync(RegisteredProcessor processor, TaskContext task, CancellationToken cancellationToken)
    {
        if (!processor.NeedsScope && options.Middlewares.Count == 0)
            return await ProcessAsync(processor, services, task, cancellationToken);
        var scope = services.CreateAsyncScope();
        var provider = scope.ServiceProvider;
        TaskDelegate run = (t, token) => ProcessAsync(processor, provider, t, token);
        foreach (var middleware in options.Middlewares.Reverse())
        {
            var next = run;
            run = (t, token) => middleware(provider, t, next, token);
        }

        try
        {
            return await run(task, cancellationToken) ?? TaskOutcome.Failed($"a middleware returned null for {task.Name}");
        }
        catch (TaskOutcomeException ended)
        {
            return ended.Outcome;
        }
        finally
        {
            await HandlerInstance.EndAsync(scope, services);
        }
    }

    /// <summary>Runs the processor. An outcome that it throws reaches the middleware as an outcome.</summary>
    private static async Task<TaskOutcome> ProcessAsync(
        RegisteredProcessor processor, IServiceProvider provider, TaskContext task, CancellationToken cancellationToken)
    {
        try
        {
            return await processor.Run(provider, task, cancellationToken)
                ?? TaskOutcome.Failed($"the processor of {task.Name} returned null");
        }
        catch (TaskOutcomeException ended)
        {
            return ended.Outcome;
        }
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
