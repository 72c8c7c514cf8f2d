using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>
/// A row of table <c>attempts</c>: what the other tables no longer show of a task, because it waits, runs or ended again since. Rows are
/// append-only and go with their task.
/// </summary>
public sealed class AttemptRow
{
    /// <summary>Generated in ascending order for each task.</summary>
    public long Id { get; set; }

    /// <summary>The task.</summary>
    public Guid TaskId { get; set; }

    /// <summary>Attempts started so far.</summary>
    public int Attempt { get; set; }

    /// <summary>How the attempt ended, or what happened to the waiting task.</summary>
    public TaskEventType End { get; set; }

    /// <summary>When the attempt started; null if none had.</summary>
    public DateTime? StartedAt { get; set; }

    /// <summary>When it ended.</summary>
    public DateTime EndedAt { get; set; }

    /// <summary>When the task was to run next.</summary>
    public DateTime? DueAt { get; set; }

    /// <summary>When somebody asked for the ended task to run again.</summary>
    public DateTime? ResumedAt { get; set; }

    /// <summary>The worker.</summary>
    public string? Worker { get; set; }

    /// <summary>Error of the attempt.</summary>
    public string? Error { get; set; }
}
