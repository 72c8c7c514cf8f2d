namespace TaskQueue.Contracts;

/// <summary>One step in the life of a task. Steps of one task are published in order, at least once.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Queue">Base name of its queue.</param>
/// <param name="Tier">0 is online, 1..N offline.</param>
/// <param name="Attempt">The attempt it belongs to; 0 before the first.</param>
/// <param name="At">When it happened (UTC).</param>
/// <param name="DueAt">When the task may run next, where it waits to run.</param>
/// <param name="Worker">Who ran the attempt, if any.</param>
/// <param name="Error">Why the attempt failed, if it did.</param>
public sealed record TaskStep(Guid TaskId, string Queue, int Tier, int Attempt, DateTime At, DateTime? DueAt, string? Worker,
    string? Error);

/// <summary>Tasks were accepted, or sent to run again. 1..200 entries, as in all events.</summary>
/// <param name="Tasks">The steps.</param>
public sealed record TasksSubmitted(IReadOnlyList<TaskStep> Tasks);

/// <summary>Attempts began.</summary>
/// <param name="Tasks">The steps.</param>
public sealed record TasksStarted(IReadOnlyList<TaskStep> Tasks);

/// <summary>Tasks ended with a result.</summary>
/// <param name="Tasks">The steps.</param>
public sealed record TasksCompleted(IReadOnlyList<TaskStep> Tasks);

/// <summary>Tasks ended with an error: not retryable, or no attempt left.</summary>
/// <param name="Tasks">The steps.</param>
public sealed record TasksFailed(IReadOnlyList<TaskStep> Tasks);

/// <summary>Attempts failed, or gave their tasks back for later (no error); the tasks run again at <see cref="TaskStep.DueAt"/>.</summary>
/// <param name="Tasks">The steps.</param>
public sealed record TasksRetrying(IReadOnlyList<TaskStep> Tasks);

/// <summary>Tasks were cancelled.</summary>
/// <param name="Tasks">The steps.</param>
public sealed record TasksCancelled(IReadOnlyList<TaskStep> Tasks);

/// <summary>Tasks were not started in time.</summary>
/// <param name="Tasks">The steps.</param>
public sealed record TasksExpired(IReadOnlyList<TaskStep> Tasks);
