namespace TaskQueue.Engine.Tasks;

/// <summary>Type of a task event.</summary>
public enum TaskEventType
{
    /// <summary>The task was accepted, or retried by hand.</summary>
    Submitted = 1,

    /// <summary>An attempt started.</summary>
    Started = 2,

    /// <summary>The task ended with a result.</summary>
    Completed = 3,

    /// <summary>The task ended with an error.</summary>
    Failed = 4,

    /// <summary>An attempt failed; another follows.</summary>
    Retrying = 5,

    /// <summary>The task was cancelled.</summary>
    Cancelled = 6,

    /// <summary>The task did not start in time.</summary>
    Expired = 7,

    /// <summary>A scheduled, retrying or overdue push task was sent to its workers; not published.</summary>
    Dispatched = 8,

    /// <summary>The worker snoozed the task; the attempt does not count.</summary>
    Snoozed = 9,

    /// <summary>A duplicate overwrote the waiting task; not published.</summary>
    Overwritten = 10,
}

/// <summary>Something that happened to a task, as the outbox has it until it is published.</summary>
public sealed class TaskEvent
{
    /// <summary>Number of partitions of the outbox; a transaction locks one of them while it appends.</summary>
    public const int Partitions = 64;

    /// <summary>Characters of an error that are published; the task has the whole.</summary>
    public const int MaxError = 1000;

    private string? _sealedBeginning;

    /// <summary>Its beginning.</summary>
    internal static string? Cut(string? error) =>
        error is not { Length: > MaxError } ? error : error[..(char.IsHighSurrogate(error[MaxError - 1]) ? MaxError - 1 : MaxError)];

    /// <summary>The partition: its rows commit in id order.</summary>
    public int Partition { get; set; }

    /// <summary>Generated in ascending order over all partitions.</summary>
    public long Id { get; set; }

    /// <summary>The task.</summary>
    public Guid TaskId { get; set; }

    /// <summary>What happened.</summary>
    public TaskEventType Type { get; set; }

    /// <summary>Base name of the task's queue.</summary>
    public string Queue { get; set; } = "";

    /// <summary>Tier of the task.</summary>
    public int Tier { get; set; }

    /// <summary>Attempts started so far.</summary>
    public int Attempt { get; set; }

    /// <summary>The worker that ran the attempt.</summary>
    public string? Worker { get; set; }

    /// <summary>Error of the attempt.</summary>
    public string? Error { get; set; }

    /// <summary>The beginning of the error, as the outbox has it.</summary>
    internal string? PublishedError => _sealedBeginning ?? Cut(Error);

    /// <summary>When it happened.</summary>
    public DateTime At { get; set; }

    /// <summary>When a waiting task may run next.</summary>
    public DateTime? DueAt { get; set; }

    /// <summary>Whether the outbox dispatcher sends the task to the bus workers of its queue.</summary>
    public bool Dispatch { get; set; }

    /// <summary>
    /// Whether the event releases capacity for another task of the queue: the next of its ordering key, or one more below the limit.
    /// </summary>
    public bool ReleasesCapacity { get; set; }

    /// <summary>The actual type if <see cref="Type"/> hides it from subscribers; not stored.</summary>
    internal TaskEventType Kind { get; set; }

    /// <summary>Owner of the task, for counts; not stored.</summary>
    internal string? Owner { get; set; }

    /// <summary>Duration of the attempt that ended; not stored.</summary>
    internal TimeSpan? Ran { get; set; }

    /// <summary>Whether the queue's event policy allows it to be written; not stored.</summary>
    internal bool IsWritten { get; set; } = true;

    /// <summary>The batch whose item the task is, and the item's outcome; not stored.</summary>
    internal (Guid Batch, BatchItemOutcome End)? Line { get; set; }

    /// <summary>Whether a callback is due for the result of its task; not stored.</summary>
    internal bool CallbackDue { get; set; }

    /// <summary>Returns a copy with encrypted errors.</summary>
    internal TaskEvent With(string error, string beginning)
    {
        var copy = (TaskEvent)MemberwiseClone();
        (copy.Error, copy._sealedBeginning) = (error, beginning);
        return copy;
    }

    /// <summary>Whether an event type ends a task.</summary>
    public static bool IsTerminal(TaskEventType type) =>
        type is TaskEventType.Completed or TaskEventType.Failed or TaskEventType.Cancelled or TaskEventType.Expired;
}
