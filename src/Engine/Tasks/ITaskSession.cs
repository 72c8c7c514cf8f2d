namespace TaskQueue.Engine.Tasks;

/// <summary>The transaction of a command group; rolled back if disposed without a save.</summary>
public interface ITaskSession : IAsyncDisposable
{
    /// <summary>Loads and locks rows in id order, without payload and headers.</summary>
    Task<Dictionary<Guid, TaskState>> LoadAsync(IReadOnlyList<Guid> ids);

    /// <summary>Writes the group and commits.</summary>
    /// <exception cref="TaskIdTakenException">The id of an insert exists; nothing was written.</exception>
    /// <exception cref="DedupeKeyTakenException">The dedupe key of an update is held by another task; nothing was written.</exception>
    Task SaveAsync(IReadOnlyList<TaskState> inserts, IReadOnlyList<TaskState> updates);
}

/// <summary>The id of an insert in a group exists: load the row and run the state machine again.</summary>
public sealed class TaskIdTakenException : Exception
{
}

/// <summary>Another task holds the dedupe key of a task that is to wait again.</summary>
public sealed class DedupeKeyTakenException(Exception inner) : Exception(inner.Message, inner)
{
}
