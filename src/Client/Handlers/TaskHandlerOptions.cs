using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>Options of the tasks of one name, within those of the worker.</summary>
public sealed class TaskHandlerOptions
{
    private static readonly TimeSpan MaxTimeout = TimeSpan.FromDays(30);

    /// <summary>
    /// Maximum number of tasks of the name that this worker runs at once: 1 to 500; null (default): as many as the worker has slots.
    /// Tasks that wait for a slot of their own count as prefetched, so raise <see cref="TaskQueueWorkerOptions.Prefetch"/> where others
    /// must pass them.
    /// </summary>
    public int? Concurrency { get; set; }

    /// <summary>
    /// How long an attempt may run: 1 s to 30 days; null (default): <see cref="TaskQueueWorkerOptions.RunTimeLimit"/>. At the limit the
    /// attempt fails and its token is cancelled; its slot becomes free when the handler returns.
    /// </summary>
    public TimeSpan? Timeout { get; set; }

    /// <summary>
    /// Delays after attempts that failed here, by attempt number, which counts snoozed attempts too; null (default): as the task or its
    /// queue says. How many attempts there are, and the delay after a lost worker, remain those of the task.
    /// </summary>
    public RetryPolicy? Retry { get; set; }

    internal HandlerLimits ToLimits() => new(Concurrency, Timeout, Retry);

    /// <summary>Why the options are invalid; null if they are valid.</summary>
    internal string? Problem =>
        Concurrency is { } slots && slots is < 1 or > 500 ? "Concurrency must be 1 to 500"
        : Timeout is { } timeout && (timeout < TimeSpan.FromSeconds(1) || timeout > MaxTimeout) ? "Timeout must be 1 s to 30 days"
        : Retry is { } retry && RetryDelays.ProblemOf(retry) is { } problem ? $"Retry: {problem}"
        : null;
}

/// <summary>Limits of one handler, as they were when the worker was made.</summary>
internal sealed record HandlerLimits(int? Concurrency, TimeSpan? Timeout, RetryPolicy? Retry);
