using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Workers;

/// <summary>The registered workers. Every method may throw the database's exceptions.</summary>
public interface IWorkerStore
{
    /// <summary>
    /// Merges contacts of this process into the rows: later ones win. A worker that was lost or has stopped is active again; a restarted
    /// one is not draining any more.
    /// </summary>
    Task WriteAsync(IReadOnlyList<WorkerSighting> sightings, CancellationToken cancellationToken);

    /// <summary>Counts tasks whose leases expired, and notes when.</summary>
    Task AddLostAsync(IReadOnlyList<LostTasks> lost, CancellationToken cancellationToken);

    /// <summary>Ids of the workers that are asked to drain.</summary>
    Task<IReadOnlyList<string>> DrainingAsync(CancellationToken cancellationToken);

    /// <summary>Lists workers that the caller may see, the latest started first.</summary>
    /// <param name="access">The caller's access.</param>
    /// <param name="after">Continues after this worker; null begins.</param>
    /// <param name="max">Maximum number.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    Task<IReadOnlyList<WorkerRecord>> ListAsync(Access access, WorkerCursor? after, int max, CancellationToken cancellationToken);

    /// <summary>Counts the running tasks of workers, by name and credential. The cost grows with running tasks.</summary>
    Task<IReadOnlyDictionary<(string Name, string? Credential), int>> RunningAsync(
        IReadOnlyCollection<string> names, CancellationToken cancellationToken);

    /// <summary>Finds a worker that the caller may see, or returns null.</summary>
    Task<WorkerRecord?> FindAsync(string id, Access access, CancellationToken cancellationToken);

    /// <summary>Asks an active worker to drain.</summary>
    /// <returns>False if it is not active.</returns>
    Task<bool> DrainAsync(string id, CancellationToken cancellationToken);

    /// <summary>Removes workers.</summary>
    Task<int> RemoveAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken);

    /// <summary>Active workers without contact since a time and without a running task, at most that many.</summary>
    Task<IReadOnlyList<WorkerRecord>> SilentAsync(DateTime before, int max, CancellationToken cancellationToken);

    /// <summary>Ends active workers that are still without contact since a time.</summary>
    /// <returns>Number of them.</returns>
    Task<int> EndAsync(IReadOnlyCollection<string> ids, WorkerState state, DateTime before, CancellationToken cancellationToken);

    /// <summary>Removes ended workers: those last seen before a time, and the least recently seen of owners with too many.</summary>
    /// <param name="before">The time.</param>
    /// <param name="maxOfOwner">Workers that a tenant may have.</param>
    /// <param name="maxOfNone">Workers without an owner that there may be.</param>
    /// <param name="cancellationToken">Cancels the removal.</param>
    /// <returns>Number of them.</returns>
    Task<int> RemoveOldAsync(DateTime before, int maxOfOwner, int maxOfNone, CancellationToken cancellationToken);

    /// <summary>Counts workers by state.</summary>
    Task<IReadOnlyDictionary<WorkerState, int>> CountAsync(CancellationToken cancellationToken);
}

/// <summary>A position in the list of workers.</summary>
/// <param name="StartedAt">When the worker started.</param>
/// <param name="Id">Its id.</param>
public sealed record WorkerCursor(DateTime StartedAt, string Id);

/// <summary>The latest contact of a worker with this process.</summary>
/// <param name="Id">See <see cref="WorkerRecord.Id"/>.</param>
/// <param name="Key">The worker.</param>
/// <param name="Contact">What it told with its last claim; null if it only reported.</param>
/// <param name="Queues">See <see cref="WorkerRecord.Queues"/>; null if unknown.</param>
/// <param name="StartedAt">First contact since its start.</param>
/// <param name="SeenAt">Last contact.</param>
/// <param name="HasStopped">Whether it said goodbye.</param>
public sealed record WorkerSighting(
    string Id, WorkerKey Key, WorkerContact? Contact, string? Queues, DateTime StartedAt, DateTime SeenAt, bool HasStopped);

/// <summary>Tasks whose leases expired in the hands of a worker.</summary>
/// <param name="Name">Name of the worker.</param>
/// <param name="Credential">Credential of its claims.</param>
/// <param name="Retried">Number that wait for another attempt.</param>
/// <param name="Failed">Number without an attempt left.</param>
public sealed record LostTasks(string Name, string? Credential, int Retried, int Failed);
