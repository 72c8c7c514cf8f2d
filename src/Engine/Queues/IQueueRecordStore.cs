namespace TaskQueue.Engine.Queues;

/// <summary>The rows of declared queues. <see cref="IQueueStore"/> has the statements about what they hold.</summary>
public interface IQueueRecordStore
{
    /// <summary>Whether a queue is declared.</summary>
    Task<bool> ExistsAsync(string name);

    /// <summary>The version of all declared queues together, which changes with each of them; null where there are none.</summary>
    Task<QueueListVersion?> ReadVersionAsync();

    /// <summary>All declared queues by name.</summary>
    Task<IReadOnlyDictionary<string, QueueRecord>> ReadAllAsync();

    /// <summary>Adds a queue in one transaction, which excludes other additions: what it counts stays true until it commits.</summary>
    /// <param name="queue">The queue; gets its id.</param>
    /// <param name="quota">The limit of an API; null is none.</param>
    /// <param name="ownerLimit">The limit of the owner; null is none.</param>
    Task<QueueInsertResult> TryAddAsync(QueueRecord queue, QueueQuota? quota, long? ownerLimit);

    /// <summary>
    /// Reads a queue, lets a function edit it, and writes it if nobody has changed it in between; else does it all again.
    /// </summary>
    /// <param name="name">Base name.</param>
    /// <param name="edit">Edits the queue, its version included. False leaves the row as it is.</param>
    /// <returns>The queue as it was left; null where there is none.</returns>
    Task<QueueRecord?> UpdateAsync(string name, Func<QueueRecord, Task<bool>> edit);

    /// <summary>Deletes a queue with its schedules, in one transaction.</summary>
    /// <returns>Whether there was one.</returns>
    Task<bool> DeleteAsync(string name);
}

/// <summary>Identifies a state of the list of declared queues.</summary>
/// <param name="Count">Number of queues.</param>
/// <param name="LastId">The largest id.</param>
/// <param name="Versions">Sum of their versions.</param>
public sealed record QueueListVersion(int Count, int LastId, long Versions);

/// <summary>What became of the insert of a queue.</summary>
public enum QueueInsertStatus
{
    /// <summary>It was added.</summary>
    Added,

    /// <summary>There is a queue of this name.</summary>
    NameTaken,

    /// <summary>Tasks of other tenants wait, run or are dead in the undeclared queue of this name.</summary>
    HoldsForeignTasks,

    /// <summary>The limit of the API is reached.</summary>
    QuotaReached,

    /// <summary>The limit of the owner is reached.</summary>
    OwnerLimitReached,
}

/// <summary>The result of <see cref="IQueueRecordStore.TryAddAsync"/>. Nothing was written unless the status is Added.</summary>
/// <param name="Status">What became of it.</param>
/// <param name="Used">Number of queues of the owner, where its limit is reached.</param>
public sealed record QueueInsertResult(QueueInsertStatus Status, long Used = 0);
