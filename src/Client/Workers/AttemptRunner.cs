using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Client;

/// <summary>Runs handlers with a fixed concurrency.</summary>
internal sealed partial class AttemptRunner(
    InFlightAttempts attempts, WorkerRuntimeOptions options, IAttemptHandler handler, TimeProvider time, ILogger logger)
{
    /// <summary>Completes when no more attempts are accepted and all started ones have ended.</summary>
    public Task RunAsync() => Task.WhenAll(Enumerable.Range(0, options.Concurrency).Select(_ => Task.Run(LoopAsync)));

    private async Task LoopAsync()
    {
        await foreach (var attempt in attempts.Waiting.ReadAllAsync())
        {
            attempts.Begun();
            if (!attempt.TryBegin(time))
                continue;
            await using var limit = options.RunTimeLimit is { } longest ? StartLimit(longest, attempt) : null;
            var outcome = await RunAsync(attempt);
            if (!attempts.Settle(attempt, outcome))
                LogDropped(attempt.Item.Id, attempt.Item.Attempt);
        }
    }

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
    }

    private ITimer StartLimit(TimeSpan limit, Attempt attempt) =>
        time.CreateTimer(_ => EndAt(limit, attempt), null, limit, Timeout.InfiniteTimeSpan);

    /// <summary>Fails the attempt at its time limit; its slot is freed when the handler returns.</summary>
    private void EndAt(TimeSpan limit, Attempt attempt)
    {
        if (!attempts.Settle(attempt, TaskOutcome.Threw($"the attempt ran longer than {limit}")))
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
