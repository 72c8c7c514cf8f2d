using TaskQueue.Engine.Memory;

namespace TaskQueue.Engine.Replies;

/// <summary>Progress of a running attempt, such as a part of a stream.</summary>
/// <param name="EventId">The worker's id of the event, or null.</param>
/// <param name="EventName">The worker's name of the event, or null.</param>
/// <param name="Data">JSON text.</param>
public sealed record TaskProgress(string? EventId, string? EventName, string Data)
{
    /// <summary>Whether it is the body of an answer whose status is none of a success, in place of a stream.</summary>
    public bool IsRefusal { get; init; }
}

/// <summary>Completion of a task.</summary>
/// <param name="State">The terminal state, one of <see cref="Tasks.TaskStates"/>.</param>
/// <param name="Result">JSON text of a small result of a success.</param>
/// <param name="Error">Error of a failure.</param>
/// <param name="ResultBytes">Size of a result that is not small: the receiver reads it from the database once it has reserved memory for
/// it.</param>
public sealed record TaskCompletion(int State, string? Result, string? Error, long ResultBytes = 0)
{
    /// <summary>The completion as sent between processes and from the commit to its caller.</summary>
    public static TaskCompletion Of(int state, string? result, string? error) =>
        result is { Length: > MemoryBudget.SmallBytes } ? new(state, null, error, 3L * result.Length) : new(state, result, error);
}

/// <summary>A message to the process whose caller waits: progress or completion.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Progress">Progress, or null.</param>
/// <param name="End">The completion, or null.</param>
public sealed record Reply(Guid TaskId, TaskProgress? Progress, TaskCompletion? End);

/// <summary>A batch of 1 or more replies, in order, to the process whose callers wait.</summary>
/// <param name="Replies">The replies.</param>
public sealed record TaskReplies(IReadOnlyList<Reply> Replies)
{
    /// <summary>A direct exchange; the routing key is a <see cref="ReplyAddress"/>.</summary>
    public const string Exchange = "taskqueue-replies";
}

/// <summary>The address at which this process receives replies; unique among processes and restarts.</summary>
/// <param name="Name">The routing key.</param>
public sealed record ReplyAddress(string Name);
