namespace TaskQueue.Client;

/// <summary>
/// Processes tasks of one name: gets their data deserialized, and returns their result. Created per attempt, in its own scope.
/// </summary>
/// <typeparam name="TIn">Type of the data.</typeparam>
/// <typeparam name="TOut">Type of the result.</typeparam>
public interface ITaskHandler<in TIn, TOut>
{
    /// <summary>Processes a task.</summary>
    /// <param name="data">Its data.</param>
    /// <param name="task">The task.</param>
    /// <param name="cancellationToken">
    /// Cancelled when the task is cancelled, its lease is lost, its time is up, or the worker stops: the outcome no longer counts.
    /// </param>
    /// <returns>The result; the task is completed.</returns>
    /// <exception cref="TaskOutcomeException">Ends the attempt in another way: see <see cref="TaskOutcome"/>.</exception>
    /// <exception cref="Exception">Any other exception fails the attempt; the task is retried while attempts are left.</exception>
    Task<TOut> ProcessAsync(TIn data, TaskContext task, CancellationToken cancellationToken);
}

/// <summary>
/// Processes tasks of one name, which have no result: gets their data deserialized. Created per attempt, in its own scope.
/// </summary>
/// <typeparam name="TIn">Type of the data.</typeparam>
public interface ITaskHandler<in TIn>
{
    /// <summary>Processes a task; when it returns, the task is completed.</summary>
    /// <param name="data">Its data.</param>
    /// <param name="task">The task.</param>
    /// <param name="cancellationToken">
    /// Cancelled when the task is cancelled, its lease is lost, its time is up, or the worker stops: the outcome no longer counts.
    /// </param>
    /// <exception cref="TaskOutcomeException">Ends the attempt in another way: see <see cref="TaskOutcome"/>.</exception>
    /// <exception cref="Exception">Any other exception fails the attempt; the task is retried while attempts are left.</exception>
    Task ProcessAsync(TIn data, TaskContext task, CancellationToken cancellationToken);
}

/// <summary>Name of the tasks that a handler processes; give several for several names.</summary>
/// <param name="name">The name, called action in POST /tasks.</param>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true, Inherited = false)]
public sealed class TaskNameAttribute(string name) : Attribute
{
    /// <summary>The name.</summary>
    public string Name { get; } = name;
}

/// <summary>
/// Ends an attempt with an outcome, from any depth: a typed handler that returns a value throws it to fail for good, to be retried after
/// a delay, or to snooze the task.
/// </summary>
/// <param name="outcome">The outcome.</param>
public sealed class TaskOutcomeException(TaskOutcome outcome)
    : Exception((outcome ?? throw new ArgumentNullException(nameof(outcome))).Error
        ?? (outcome.Delay is { } delay ? $"the task is snoozed for {delay}" : "the task is completed"))
{
    /// <summary>The outcome.</summary>
    public TaskOutcome Outcome { get; } = outcome;
}
