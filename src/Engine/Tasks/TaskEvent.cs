namespace TaskQueue.Engine.Tasks;

/// <summary>What happened to a task.</summary>
public enum TaskEventType
{
    /// <summary>Accepted, or sent to run again by hand.</summary>
    Submitted = 1,

    /// <summary>An attempt began.</summary>
    Started = 2,

    /// <summary>Ended with a result.</summary>
    Completed = 3,

    /// <summary>Ended with an error.</summary>
    Failed = 4,

    /// <summary>An attempt failed; another follows.</summary>
    Retrying = 5,

    /// <summary>Cancelled.</summary>
    Cancelled = 6,

    /// <summary>Not started in time.</summary>
    Expired = 7,

    /// <summary>A scheduled, retrying or overdue push task was sent to its workers; not published.</summary>
    Dispatched = 8,

    /// <summary>The worker gave the task back for later; no attempt was counted.</summary>
    Snoozed = 9,

    /// <summary>A duplicate changed the waiting task; not published.</summary>
    Overwritten = 10,
}

/// <summary>
/// A row of table <c>task_events</c>: the task's timeline and the outbox at once. Rows are only ever appended; the outbox dispatcher
/// keeps a cursor for each stream.
/// </summary>
public sealed class TaskEvent
{
    /// <summary>Number of streams; a transaction locks one of them while it appends.</summary>
    public const int Streams = 64;

    /// <summary>Which stream: rows of one stream commit in the order of their ids.</summary>
    public int Stream { get; set; }

    /// <summary>Drawn in order over all streams.</summary>
    public long Id { get; set; }

    /// <summary>The task.</summary>
    public Guid TaskId { get; set; }

    /// <summary>What happened.</summary>
    public TaskEventType Type { get; set; }

    /// <summary>Base name of the task's queue.</summary>
    public string Queue { get; set; } = "";

    /// <summary>Level of the task.</summary>
    public int Tier { get; set; }

    /// <summary>Attempts started at that time.</summary>
    public int Attempt { get; set; }

    /// <summary>Who ran the attempt.</summary>
    public string? Worker { get; set; }

    /// <summary>Why the attempt failed.</summary>
    public string? Error { get; set; }

    /// <summary>When it happened.</summary>
    public DateTime At { get; set; }

    /// <summary>When the task may run next, while it waits.</summary>
    public DateTime? DueAt { get; set; }

    /// <summary>Whether the outbox dispatcher sends the task to the bus workers of its queue.</summary>
    public bool Dispatch { get; set; }

    /// <summary>
    /// Whether another task of the queue may run because of it: the next of its ordering key, or one more below the limit.
    /// </summary>
    public bool Frees { get; set; }

    /// <summary>What happened, where <see cref="Type"/> hides it from subscribers; not stored.</summary>
    internal TaskEventType Kind { get; set; }

    /// <summary>How long the attempt ran that ended so; not stored.</summary>
    internal TimeSpan? Ran { get; set; }

    /// <summary>Whether the queue's event policy lets it be written; not stored.</summary>
    internal bool IsWritten { get; set; } = true;

    /// <summary>The batch that the end of its task counts for; not stored.</summary>
    internal (Guid Batch, BatchItemOutcome End)? Line { get; set; }

    /// <summary>Whether somebody wants the result of its task at a URL; not stored.</summary>
    internal bool CallbackDue { get; set; }

    /// <summary>A copy with another error.</summary>
    internal TaskEvent With(string? error)
    {
        var copy = (TaskEvent)MemberwiseClone();
        copy.Error = error;
        return copy;
    }

    /// <summary>Whether a type ends a task.</summary>
    public static bool IsTerminal(TaskEventType type) =>
        type is TaskEventType.Completed or TaskEventType.Failed or TaskEventType.Cancelled or TaskEventType.Expired;
}
