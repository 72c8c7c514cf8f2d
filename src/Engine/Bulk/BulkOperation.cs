using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Bulk;

/// <summary>What an operation does to each task.</summary>
public enum BulkAction
{
    /// <summary>Runs failed and cancelled tasks again.</summary>
    Retry = 1,

    /// <summary>Cancels tasks that have not ended.</summary>
    Cancel = 2,

    /// <summary>Deletes tasks that have ended.</summary>
    Delete = 3,

    /// <summary>Moves waiting tasks to another queue, and runs failed ones again there.</summary>
    Move = 4,

    /// <summary>Changes the payload of waiting tasks, and of failed ones, which run again.</summary>
    Edit = 5,
}

/// <summary>How far an operation is.</summary>
public enum BulkState
{
    /// <summary>Accepted; no task was looked at.</summary>
    Planned = 1,

    /// <summary>Changes tasks.</summary>
    Running = 2,

    /// <summary>Changes no task until it is resumed or cancelled.</summary>
    Paused = 3,

    /// <summary>Ended: all tasks were looked at.</summary>
    Completed = 4,

    /// <summary>Ended on request before all tasks were looked at.</summary>
    Cancelled = 5,

    /// <summary>Puts back what it has changed.</summary>
    Undoing = 6,

    /// <summary>Ended: what could be put back is as it was.</summary>
    Undone = 7,
}

/// <summary>A row of table <c>operations</c>: an action on many tasks, which a scheduler carries out step by step.</summary>
public sealed class BulkOperation : IOwnedInQueue
{
    /// <summary>Time-ordered id.</summary>
    public Guid Id { get; set; }

    /// <summary>Tenant of its creator; null is no owner.</summary>
    public string? Owner { get; set; }

    /// <summary>The only queue whose tasks it changes; empty if that is not known.</summary>
    public string Queue { get; set; } = "";

    /// <summary>Name of the caller that created it.</summary>
    public string? CreatedBy { get; set; }

    /// <summary>Its credential, by which it sees the operation whatever queues its key covers.</summary>
    public string? Credential { get; set; }

    /// <summary>JSON of the <see cref="BulkAccess"/> of its creator, or of the caller that undoes it: it changes nothing else.</summary>
    public string Access { get; set; } = "";

    /// <summary>What it does.</summary>
    public BulkAction Action { get; set; }

    /// <summary>JSON of the <see cref="BulkSelection"/>.</summary>
    public string Selection { get; set; } = "";

    /// <summary>The queue to which it moves tasks.</summary>
    public string? TargetQueue { get; set; }

    /// <summary>The <see cref="JsonPatch"/> that changes payloads.</summary>
    public string? Patch { get; set; }

    /// <summary>Most tasks a second; null is as fast as possible.</summary>
    public double? Rate { get; set; }

    /// <summary>How far it is.</summary>
    public BulkState State { get; set; } = BulkState.Planned;

    /// <summary>Number of selected tasks when it was created.</summary>
    public long Total { get; set; }

    /// <summary>Whether they were counted; else the number is an estimate.</summary>
    public bool TotalIsExact { get; set; }

    /// <summary>Tasks that it has changed.</summary>
    public long Done { get; set; }

    /// <summary>Tasks that were in no state for the action, or gone.</summary>
    public long Skipped { get; set; }

    /// <summary>Tasks that could not be changed: see <see cref="Error"/>.</summary>
    public long Failed { get; set; }

    /// <summary>Tasks that were put back.</summary>
    public long Undone { get; set; }

    /// <summary>Why a task, or a step, failed last.</summary>
    public string? Error { get; set; }

    /// <summary>Only older tasks are still to be looked at; null at the beginning.</summary>
    public Guid? Before { get; set; }

    /// <summary>Number of listed ids that have been looked at.</summary>
    public int Position { get; set; }

    /// <summary>Whether every selected task belongs to a step that has begun.</summary>
    public bool IsSelected { get; set; }

    /// <summary>Whether a step has begun: tasks of <see cref="BulkOperationTask"/> are not done.</summary>
    public bool IsInStep { get; set; }

    /// <summary>Whether it is being undone, also while paused.</summary>
    public bool IsUndo { get; set; }

    /// <summary>Changed tasks that are noted, to be put back.</summary>
    public int Kept { get; set; }

    /// <summary>Characters of their payloads.</summary>
    public long KeptChars { get; set; }

    /// <summary>Whether it has changed more than is noted, so that it cannot be undone.</summary>
    public bool IsBeyondUndo { get; set; }

    /// <summary>Steps in a row that failed.</summary>
    public int Faults { get; set; }

    /// <summary>When it was created.</summary>
    public DateTime CreatedAt { get; set; }

    /// <summary>When its first step began.</summary>
    public DateTime? StartedAt { get; set; }

    /// <summary>When it ended.</summary>
    public DateTime? FinishedAt { get; set; }

    /// <summary>When its next step may begin.</summary>
    public DateTime DueAt { get; set; }

    /// <summary>Until when a scheduler holds it; null if none does.</summary>
    public DateTime? WorkedUntil { get; set; }

    /// <summary>Why its texts could not be read; null if they could. Not stored.</summary>
    internal string? Problem { get; set; }

    /// <summary>Whether it has ended.</summary>
    public bool HasEnded => State is BulkState.Completed or BulkState.Cancelled or BulkState.Undone;

    /// <summary>Whether what it has changed can be put back.</summary>
    public bool CanUndo => State is BulkState.Completed or BulkState.Cancelled && Action != BulkAction.Delete
        && Kept > 0 && !IsBeyondUndo && !IsInStep;
}

/// <summary>
/// A row of table <c>operation_tasks</c>: a task of a step, as it was before. Written before the task is changed, so that a step that was
/// interrupted neither loses nor repeats a change; kept afterwards to undo it.
/// </summary>
public sealed class BulkOperationTask
{
    /// <summary>The operation.</summary>
    public Guid OperationId { get; set; }

    /// <summary>The task.</summary>
    public Guid TaskId { get; set; }

    /// <summary>Its state.</summary>
    public int FormerState { get; set; }

    /// <summary>Its queue.</summary>
    public string FormerQueue { get; set; } = "";

    /// <summary>When it had ended; null if it had not.</summary>
    public DateTime? FormerFinishedAt { get; set; }

    /// <summary>Its payload, if that is changed.</summary>
    public string? FormerPayload { get; set; }

    /// <summary>Why its payload could not be read; null if it could. Not stored.</summary>
    internal string? Problem { get; set; }

    /// <summary>Whether the task was changed.</summary>
    public bool IsDone { get; set; }
}
