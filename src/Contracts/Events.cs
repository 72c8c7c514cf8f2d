namespace TaskQueue.Contracts;

/// <summary>A step in the lifecycle of a task. Steps of one task are published in order, at least once.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Queue">Base name of its queue.</param>
/// <param name="Tier">0 is online, 1..N offline.</param>
/// <param name="Attempt">The attempt; 0 before the first.</param>
/// <param name="At">When it happened (UTC).</param>
/// <param name="DueAt">When a waiting task may run next.</param>
/// <param name="Worker">The worker that ran the attempt, if any.</param>
/// <param name="Error">Error of a failed attempt.</param>
public sealed record TaskStep(Guid TaskId, string Queue, int Tier, int Attempt, DateTime At, DateTime? DueAt, string? Worker,
    string? Error);

/// <summary>Tasks were accepted or retried. 1..200 entries, as in all events.</summary>
/// <param name="Tasks">The steps.</param>
public sealed record TasksSubmitted(IReadOnlyList<TaskStep> Tasks);

/// <summary>Attempts started.</summary>
/// <param name="Tasks">The steps.</param>
public sealed record TasksStarted(IReadOnlyList<TaskStep> Tasks);

/// <summary>Tasks ended with a result.</summary>
/// <param name="Tasks">The steps.</param>
public sealed record TasksCompleted(IReadOnlyList<TaskStep> Tasks);

/// <summary>Tasks ended with an error: not retryable, or no attempt left.</summary>
/// <param name="Tasks">The steps.</param>
public sealed record TasksFailed(IReadOnlyList<TaskStep> Tasks);

/// <summary>Attempts failed, or were snoozed (no error); the tasks run again at <see cref="TaskStep.DueAt"/>.</summary>
/// <param name="Tasks">The steps.</param>
public sealed record TasksRetrying(IReadOnlyList<TaskStep> Tasks);

/// <summary>Tasks were cancelled.</summary>
/// <param name="Tasks">The steps.</param>
public sealed record TasksCancelled(IReadOnlyList<TaskStep> Tasks);

/// <summary>Tasks did not start before their expiry.</summary>
/// <param name="Tasks">The steps.</param>
public sealed record TasksExpired(IReadOnlyList<TaskStep> Tasks);
