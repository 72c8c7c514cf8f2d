namespace TaskQueue.Client;

/// <summary>Processes tasks of one name. Created per task, in its own scope.</summary>
public interface ITaskHandler
{
    /// <summary>Processes a task.</summary>
    /// <param name="task">The task.</param>
    /// <param name="cancellationToken">
    /// Cancelled when the task is cancelled, its lease is lost, or the worker stops: the outcome no longer counts.
    /// </param>
    /// <exception cref="Exception">Any exception fails the attempt; the task is retried while attempts are left.</exception>
    Task<TaskOutcome> ProcessAsync(TaskContext task, CancellationToken cancellationToken);
}
