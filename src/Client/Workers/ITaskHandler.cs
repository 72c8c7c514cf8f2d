namespace TaskQueue.Client;

/// <summary>Processes tasks of a name; made once a task, in a scope of its own.</summary>
public interface ITaskHandler
{
    /// <summary>Does the work.</summary>
    /// <param name="task">What to do.</param>
    /// <param name="cancellationToken">The task was cancelled, its lease was lost, or the worker stops: the outcome no longer
    /// counts.</param>
    /// <exception cref="Exception">Any: the task is tried again while attempts are left.</exception>
    Task<TaskOutcome> ProcessAsync(TaskContext task, CancellationToken cancellationToken);
}
