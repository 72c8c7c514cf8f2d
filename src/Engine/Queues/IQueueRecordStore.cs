namespace TaskQueue.Engine.Queues;

/// <summary>The rows of declared queues. <see cref="IQueueStore"/> has the statements on their tasks.</summary>
public interface IQueueRecordStore
{
    /// <summary>Whether a queue is declared.</summary>
    Task<bool> ExistsAsync(string name);

    /// <summary>The combined version of all declared queues, which changes with each of them; null if there are none.</summary>
    Task<QueueListVersion?> ReadVersionAsync();

    /// <summary>Reads all declared queues by name.</summary>
    Task<IReadOnlyDictionary<string, QueueRecord>> ReadAllAsync();

    /// <summary>Adds a queue in a transaction that excludes other additions: its counts stay valid until it commits.</summary>
    /// <param name="queue">The queue; its id is set.</param>
    /// <param name="quota">The limit of an API; null is unlimited.</param>
    /// <param name="ownerLimit">The limit of the owner; null is unlimited.</param>
    Task<QueueInsertResult> TryAddAsync(QueueRecord queue, QueueQuota? quota, long? ownerLimit);

    /// <summary>Reads a queue, applies an edit, and writes it unless it was changed concurrently; retries on conflict.</summary>
    /// <param name="name">Base name.</param>
    /// <param name="edit">Edits the queue and its version. False skips the write.</param>
    /// <returns>The resulting queue; null if it does not exist.</returns>
    Task<QueueRecord?> UpdateAsync(string name, Func<QueueRecord, Task<bool>> edit);

    /// <summary>Deletes a queue with its schedules, in one transaction.</summary>
    /// <returns>Whether the queue existed.</returns>
    Task<bool> DeleteAsync(string name);
}

/// <summary>Identifies a state of the list of declared queues.</summary>
/// <param name="Count">Number of queues.</param>
/// <param name="LastId">The largest id.</param>
/// <param name="Versions">Sum of their versions.</param>
public sealed record QueueListVersion(int Count, int LastId, long Versions);

/// <summary>Outcome of adding a queue.</summary>
public enum QueueInsertStatus
{
    /// <summary>The queue was added.</summary>
    Added,

    /// <summary>A queue of this name exists.</summary>
    NameTaken,

    /// <summary>Tasks of other tenants wait, run or are dead in the undeclared queue of this name.</summary>
    HoldsForeignTasks,

    /// <summary>The limit of the API is reached.</summary>
    QuotaReached,

    /// <summary>The limit of the owner is reached.</summary>
    OwnerLimitReached,
}

/// <summary>The result of <see cref="IQueueRecordStore.TryAddAsync"/>. Nothing was written unless the status is Added.</summary>
/// <param name="Status">The outcome.</param>
/// <param name="Used">Number of queues of the owner, if its limit is reached.</param>
public sealed record QueueInsertResult(QueueInsertStatus Status, long Used = 0);
