namespace TaskQueue.Bus.Dispatch;

/// <summary>What the broker did with a message.</summary>
internal enum SendOutcome
{
    /// <summary>It confirmed the message.</summary>
    Confirmed,

    /// <summary>The exchange or its queue is missing.</summary>
    NoQueue,

    /// <summary>A queue accepts no more, or the broker does not permit it.</summary>
    Refused,

    /// <summary>The message exceeds the broker's <c>max_message_size</c>.</summary>
    TooLarge,

    /// <summary>It did not answer here although it answers otherwise: a queue has no leader. The message may still arrive.</summary>
    Silent,
}

/// <summary>The outcome of a send, with its reason unless it was confirmed.</summary>
internal readonly record struct SendResult(SendOutcome Outcome, string Reason = "");
