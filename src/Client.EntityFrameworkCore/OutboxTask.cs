namespace TaskQueue.Client;

/// <summary>
/// A task in the outbox: a row of the application's own database, written by <see cref="OutboxEnqueue"/> and deleted when the server or
/// the broker has accepted the task. Times are UTC, by the clock of the program that wrote them.
/// </summary>
public sealed class OutboxTask
{
    internal OutboxTask()
    {
    }

    /// <summary>Key of the row, assigned by the database in the order of the inserts: the order in which rows are sent.</summary>
    public long Sequence { get; internal set; }

    /// <summary>Id of the task. It never changes, so that a task that is sent twice is stored once.</summary>
    public Guid TaskId { get; internal set; }

    /// <summary>Base name of the queue.</summary>
    public string Queue { get; internal set; } = "";

    /// <summary>The submission as JSON, with name, data and all options.</summary>
    public string Submission { get; internal set; } = "";

    /// <summary>Bytes of <see cref="Submission"/> in UTF-8; bounds a batch before it is read.</summary>
    public int Size { get; internal set; }

    /// <summary>When it was enqueued.</summary>
    public DateTime CreatedAt { get; internal set; }

    /// <summary>How often this task was refused by itself. Outages of the server do not count.</summary>
    public int Attempts { get; internal set; }

    /// <summary>Why the task was not accepted the last time, at most 2,000 characters; null if it was never tried in vain.</summary>
    public string? Error { get; internal set; }

    /// <summary>When it was set aside, because it was refused for good; null while it waits to be sent.</summary>
    public DateTime? SetAsideAt { get; internal set; }

    /// <summary>Until when a relay sends it, or before when it is not tried again; null: it may be sent now.</summary>
    public DateTime? LockedUntil { get; internal set; }

    /// <summary>The relay that sends it; null if none does.</summary>
    public string? LockedBy { get; internal set; }
}
