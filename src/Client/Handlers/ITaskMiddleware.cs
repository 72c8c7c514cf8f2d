namespace TaskQueue.Client;

/// <summary>Runs a task: the next middleware, or the processor.</summary>
/// <param name="task">The task.</param>
/// <param name="cancellationToken">Passed on to the processor.</param>
public delegate Task<TaskOutcome> TaskDelegate(TaskContext task, CancellationToken cancellationToken);

/// <summary>
/// Surrounds the processors of a worker, for logging, tenancy or tracing. Created per attempt, in the scope of the attempt, which its
/// processor shares. The first one added is the outermost.
/// </summary>
public interface ITaskMiddleware
{
    /// <summary>Runs a task; an outcome of its own without a call of <paramref name="next"/> keeps the processor from running.</summary>
    /// <param name="task">The task.</param>
    /// <param name="next">What is surrounded. It throws what the processor throws.</param>
    /// <param name="cancellationToken">Cancelled when the outcome no longer counts.</param>
    /// <returns>The outcome to report, usually that of <paramref name="next"/>.</returns>
    /// <exception cref="Exception">Any exception fails the attempt; the task is retried while attempts are left.</exception>
    Task<TaskOutcome> InvokeAsync(TaskContext task, TaskDelegate next, CancellationToken cancellationToken);
}
