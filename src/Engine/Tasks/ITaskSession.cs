namespace TaskQueue.Engine.Tasks;

/// <summary>The transaction of a command group; nothing is written if it is disposed without a save.</summary>
public interface ITaskSession : IAsyncDisposable
{
    /// <summary>
    /// Loads tasks without payload and headers. They are locked, or the save finds out whether somebody has changed them in the meantime.
    /// Of several tasks, those with a long error are partial: each is loaded by itself, so that the errors of a group are bounded.
    /// </summary>
    Task<Dictionary<Guid, TaskState>> LoadAsync(IReadOnlyList<Guid> ids);

    /// <summary>
    /// Loads payloads of tasks that were loaded before: the save finds out whether somebody has changed them since.
    /// </summary>
    Task<Dictionary<Guid, string>> LoadPayloadsAsync(IReadOnlyList<Guid> ids);

    /// <summary>Writes the group and commits.</summary>
    /// <returns>
    /// Ids of updates that were not written, because another transaction holds the task or has changed it: their commands must run again.
    /// </returns>
    /// <exception cref="TaskIdTakenException">The id of an insert exists; nothing was written.</exception>
    /// <exception cref="DedupeKeyTakenException">The dedupe key of an update is held by another task; nothing was written.</exception>
    Task<IReadOnlySet<Guid>> SaveAsync(IReadOnlyList<TaskState> inserts, IReadOnlyList<TaskState> updates);
}

/// <summary>The id of an insert in a group exists: load the row and run the state machine again.</summary>
public sealed class TaskIdTakenException : Exception
{
}

/// <summary>Another task holds the dedupe key of a task that is to wait again.</summary>
public sealed class DedupeKeyTakenException(Exception inner) : Exception(inner.Message, inner)
{
}
