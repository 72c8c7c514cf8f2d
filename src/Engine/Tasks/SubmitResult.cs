namespace TaskQueue.Engine.Tasks;

/// <summary>Outcome of a submission.</summary>
public enum SubmitStatus
{
    /// <summary>A new task was accepted.</summary>
    Accepted,

    /// <summary>A task of the same owner with this id exists and is unchanged.</summary>
    IdTaken,

    /// <summary>Another task holds the dedupe key and is unchanged.</summary>
    Skipped,

    /// <summary>Another task holds the dedupe key and was overwritten as requested.</summary>
    Overwritten,

    /// <summary>Another task holds the dedupe key and is running, so it could not be overwritten.</summary>
    Running,
}

/// <summary>The id of a submission is taken by another tenant or by a deleted task. Nothing was accepted.</summary>
/// <param name="id">The id.</param>
public sealed class TaskIdConflictException(Guid id) : Exception($"the id {id} was used before and cannot be used again; choose another")
{
    /// <summary>The id.</summary>
    public Guid Id { get; } = id;
}

/// <summary>Result of a submission.</summary>
/// <param name="Id">The new task, or the holder of the dedupe key.</param>
/// <param name="Result">Outcome of the submission.</param>
/// <param name="Task">The task with this id; null if an existing one is unchanged. An existing one lacks payload, unless that was
/// overwritten, result, error and progress.</param>
public sealed record SubmitResult(Guid Id, SubmitStatus Result, TaskState? Task);
