namespace TaskQueue.Engine.Why;

/// <summary>Why a task does not run, or how it runs or has ended.</summary>
/// <param name="Id">The task.</param>
/// <param name="State">One of <see cref="Tasks.TaskStates"/>.</param>
/// <param name="Message">One sentence, without values of the task.</param>
/// <param name="Gates">What keeps it from running, the first to look at first; empty once it has ended.</param>
public sealed record WhyAnswer(Guid Id, int State, string Message, IReadOnlyList<WhyGate> Gates);

/// <summary>Something that keeps a task from running.</summary>
/// <param name="Gate">One of <see cref="Gates"/>.</param>
/// <param name="Message">One sentence.</param>
public sealed record WhyGate(string Gate, string Message)
{
    /// <summary>When it opens by itself; null if that is not known.</summary>
    public DateTime? OpensAt { get; init; }

    /// <summary>The task's position among those that wait for the same, from 1; null if that is not known.</summary>
    public int? Position { get; init; }

    /// <summary>Tasks of the caller that keep it closed; not all of them.</summary>
    public IReadOnlyList<GateHolder> Holders { get; init; } = [];
}

/// <summary>A task that keeps a gate closed.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="State">One of <see cref="Tasks.TaskStates"/>.</param>
/// <param name="DueAt">When it may start, or might have.</param>
/// <param name="LeaseUntil">When its lease ends, if it runs.</param>
public sealed record GateHolder(Guid TaskId, int State, DateTime DueAt, DateTime? LeaseUntil);

/// <summary>The names of gates.</summary>
public static class Gates
{
    /// <summary>A row of the task could not be processed.</summary>
    public const string Quarantined = "quarantined";

    /// <summary>It is past its expiry.</summary>
    public const string Expired = "expired";

    /// <summary>It is scheduled for later, or waits for its next attempt.</summary>
    public const string DueTime = "due_time";

    /// <summary>Its queue is paused.</summary>
    public const string Paused = "paused";

    /// <summary>Another task of its ordering key goes first.</summary>
    public const string OrderingKey = "ordering_key";

    /// <summary>Its queue runs as many tasks as it may.</summary>
    public const string ConcurrencyLimit = "concurrency_limit";

    /// <summary>Its queue has started as many tasks as it may.</summary>
    public const string RateLimit = "rate_limit";

    /// <summary>Sequential workers wait for a task of its queue and tier.</summary>
    public const string TierLock = "tier_lock";

    /// <summary>It has not reached the workers of its push queue.</summary>
    public const string PushBacklog = "push_backlog";

    /// <summary>No worker takes tasks of its queue.</summary>
    public const string NoWorker = "no_worker";

    /// <summary>Nothing but the tasks before it.</summary>
    public const string WaitingTurn = "waiting_turn";
}
