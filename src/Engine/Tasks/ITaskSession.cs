namespace TaskQueue.Engine.Tasks;

/// <summary>The transaction of a group of commands; disposed without a save, it rolls back.</summary>
public interface ITaskSession : IAsyncDisposable
{
    /// <summary>Loads and locks rows in the order of their ids. Payload and headers are left out.</summary>
    Task<Dictionary<Guid, TaskState>> LoadAsync(IReadOnlyList<Guid> ids);

    /// <summary>Writes the group and commits.</summary>
    /// <exception cref="TaskIdTakenException">An insert met an existing row; nothing was written.</exception>
    /// <exception cref="DedupeKeyTakenException">An update met another holder of its dedupe key; nothing was written.</exception>
    Task SaveAsync(IReadOnlyList<TaskState> inserts, IReadOnlyList<TaskState> updates);
}

/// <summary>An insert of a group met existing rows: load them and run the machine again.</summary>
public sealed class TaskIdTakenException : Exception
{
}

/// <summary>A task that is to wait again met another that has its dedupe key.</summary>
public sealed class DedupeKeyTakenException(Exception inner) : Exception(inner.Message, inner)
{
}
