namespace TaskQueue.Engine.Tasks;

/// <summary>What became of a submission.</summary>
public enum SubmitStatus
{
    /// <summary>A new task.</summary>
    Accepted,

    /// <summary>A task of the same owner with its id exists, and was left alone.</summary>
    IdTaken,

    /// <summary>Another task holds its dedupe key, and was left alone.</summary>
    Skipped,

    /// <summary>Another task holds its dedupe key, and was changed as asked.</summary>
    Overwritten,

    /// <summary>Another task holds its dedupe key and runs, so that nothing could be changed.</summary>
    Running,
}

/// <summary>
/// The id of a submission is taken, and not by the task that it is: it is another tenant's, or its task was deleted. Nothing was accepted.
/// </summary>
/// <param name="id">The id.</param>
public sealed class TaskIdConflictException(Guid id) : Exception($"the id {id} was used before and cannot be used again; choose another")
{
    /// <summary>The id.</summary>
    public Guid Id { get; } = id;
}

/// <summary>The answer to a submission.</summary>
/// <param name="Id">The task that stands: the new one, or the holder of the dedupe key.</param>
/// <param name="Result">What became of it.</param>
/// <param name="Task">The task that stands; null where it was left alone.</param>
public sealed record SubmitResult(Guid Id, SubmitStatus Result, TaskState? Task);
