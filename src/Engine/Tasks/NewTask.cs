using TaskQueue.Contracts;

namespace TaskQueue.Engine.Tasks;

/// <summary>A task to insert.</summary>
/// <param name="Task">The row.</param>
/// <param name="Overwrite">What it overwrites on the holder of its dedupe key, if there is one.</param>
public sealed record NewTask(TaskState Task, OverwriteFields Overwrite = OverwriteFields.None)
{
    /// <summary>The payload as stored with the holder of its dedupe key, whose id it may name; null if it is the same.</summary>
    internal Func<Guid, string>? PayloadFor { get; init; }
}

/// <summary>
/// A step applied in the transaction of an insert. Only the first process applies it; the insert of the second does nothing.
/// </summary>
public abstract record InsertStep;
