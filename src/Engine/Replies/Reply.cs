using TaskQueue.Engine.Memory;

namespace TaskQueue.Engine.Replies;

/// <summary>Something that a running attempt has to say before its end, such as a part of a stream.</summary>
/// <param name="EventId">The worker's number of it, or null.</param>
/// <param name="EventName">The worker's name for it, or null.</param>
/// <param name="Data">JSON text.</param>
public sealed record TaskProgress(string? EventId, string? EventName, string Data);

/// <summary>A task ended.</summary>
/// <param name="State">The terminal state, a number of <see cref="Tasks.TaskStates"/>.</param>
/// <param name="Result">JSON text of the result of a success, where it is small.</param>
/// <param name="Error">Why it failed.</param>
/// <param name="ResultBytes">Size of a result that is not small: whoever needs it reads it from the database, once it has reserved memory
/// for it.</param>
public sealed record TaskCompletion(int State, string? Result, string? Error, long ResultBytes = 0)
{
    /// <summary>An end as it is handed from process to process and from the commit to its caller.</summary>
    public static TaskCompletion Of(int state, string? result, string? error) =>
        result is { Length: > MemoryBudget.SmallBytes } ? new(state, null, error, 3L * result.Length) : new(state, result, error);
}

/// <summary>What the process that holds a task's caller is told: progress or the end.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Progress">Progress, or null.</param>
/// <param name="End">The end, or null.</param>
public sealed record Reply(Guid TaskId, TaskProgress? Progress, TaskCompletion? End);

/// <summary>From the process that hears of them to the one whose callers wait: 1..N replies, in order.</summary>
/// <param name="Replies">The replies.</param>
public sealed record TaskReplies(IReadOnlyList<Reply> Replies)
{
    /// <summary>A direct exchange; the routing key is a <see cref="ReplyAddress"/>.</summary>
    public const string Exchange = "taskqueue-replies";
}

/// <summary>The name under which this process gets replies: unique, and of this life of the process alone.</summary>
/// <param name="Name">The routing key.</param>
public sealed record ReplyAddress(string Name);
