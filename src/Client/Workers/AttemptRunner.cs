using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Client;

/// <summary>Runs handlers with a fixed concurrency.</summary>
internal sealed partial class AttemptRunner(
    InFlightAttempts attempts, WorkerRuntimeOptions options, IAttemptHandler handler, TimeProvider time, ILogger logger)
{
    private readonly HandlerSlots _slots = new(options);

    /// <summary>Completes when no more attempts are accepted and all started ones have ended.</summary>
    public Task RunAsync() => Task.WhenAll(Enumerable.Range(0, options.Concurrency).Select(_ => Task.Run(LoopAsync)));

    private async Task LoopAsync()
    {
        await foreach (var waiting in attempts.Waiting.ReadAllAsync())
        {
            attempts.Begun();
            for (var attempt = _slots.TryEnter(waiting) ? waiting : null; attempt is not null; attempt = _slots.Leave(attempt))
                await RunOneAsync(attempt);
        }
    }

    private async Task RunOneAsync(Attempt attempt)
    {
        if (!attempt.TryBegin(time))
            return;
        var limits = options.LimitsOf(attempt.Item);
        await using var limit = (limits?.Timeout ?? options.RunTimeLimit) is { } longest ? StartLimit(longest, attempt, limits) : null;
        var outcome = await RunAsync(attempt);
        if (!attempts.Settle(attempt, Delayed(outcome, attempt, limits)))
            LogDropped(attempt.Item.Id, attempt.Item.Attempt);
    }

    /// <summary>The outcome with the delay of the handler's own retry policy, if it has one.</summary>
    private static TaskOutcome Delayed(TaskOutcome outcome, Attempt attempt, HandlerLimits? limits) =>
        limits?.Retry is { } policy ? outcome.RetriedBy(policy, attempt.Item.Attempt) : outcome;

    private async Task<TaskOutcome> RunAsync(Attempt attempt)
    {
        var item = attempt.Item;
        using var scope = LogScope(logger, item.Id, item.Attempt);
        using var activity = handler.StartActivity(item);
        var outcome = await HandleAsync(attempt);
        if (outcome.Error is { } error)
            activity?.SetStatus(ActivityStatusCode.Error, error);
        return outcome;
    }

    private async Task<TaskOutcome> HandleAsync(Attempt attempt)
    {
        try
        {
            return await handler.RunAsync(attempt);
        }
#pragma warning disable CA1031 // an exception from a handler is an outcome
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (attempt.Cancelled.IsCancellationRequested)
                return TaskOutcome.Snooze(TimeSpan.Zero);
            LogThrew(fault, attempt.Item.Name, attempt.Item.Id, attempt.Item.Attempt);
            return TaskOutcome.Threw(fault);
        }
        finally
        {
            attempts.Returned(attempt);
        }
    }

    private ITimer StartLimit(TimeSpan limit, Attempt attempt, HandlerLimits? limits) =>
        time.CreateTimer(_ => EndAt(limit, attempt, limits), null, limit, Timeout.InfiniteTimeSpan);

    /// <summary>Fails the attempt at its time limit; its slot is freed when the handler returns.</summary>
    private void EndAt(TimeSpan limit, Attempt attempt, HandlerLimits? limits)
    {
        if (!attempts.Settle(attempt, Delayed(TaskOutcome.Threw($"the attempt ran longer than {limit}"), attempt, limits)))
            return;
        LogTooLong(attempt.Item.Name, attempt.Item.Id, attempt.Item.Attempt, limit);
        attempt.Abort();
    }

    private static readonly Func<ILogger, Guid, int, IDisposable?> LogScope =
        LoggerMessage.DefineScope<Guid, int>("task {TaskId} attempt {Attempt}");

    [LoggerMessage(LogLevel.Warning, "The processor of {Name} threw, task {TaskId} attempt {Attempt}")]
    private partial void LogThrew(Exception fault, string? name, Guid taskId, int attempt);

    [LoggerMessage(LogLevel.Warning, "The processor of {Name} ran longer than {Limit}, task {TaskId} attempt {Attempt}")]
    private partial void LogTooLong(string? name, Guid taskId, int attempt, TimeSpan limit);

    [LoggerMessage(LogLevel.Debug,
        "The outcome of task {TaskId} attempt {Attempt} was dropped: the lease was lost, the task was released, or the outcome was late")]
    private partial void LogDropped(Guid taskId, int attempt);
}
