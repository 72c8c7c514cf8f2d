using TaskQueue.Contracts;

namespace TaskQueue.Engine.Tasks;

/// <summary>A task to insert.</summary>
/// <param name="Task">Its row.</param>
/// <param name="Overwrite">What it changes on the holder of its dedupe key, where there is one.</param>
public sealed record NewTask(TaskState Task, OverwriteFields Overwrite = OverwriteFields.None)
{
    /// <summary>The payload as it is stored with the holder of its dedupe key; null where that makes no difference.</summary>
    internal Func<Guid, string>? PayloadFor { get; init; }
}

/// <summary>What must be moved on in the transaction of an insert, by whoever comes first; the insert of the second does nothing.</summary>
public abstract record InsertStep;
