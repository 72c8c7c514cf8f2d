using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Quarantine;

/// <summary>
/// Parks the rows of quarantined subjects, so that no loop processes them, and unparks them. A row is parked in the transaction that lists
/// its item; the store fills in the queue and the owner of the item.
/// </summary>
public interface IParkingStore
{
    /// <summary>Clears the timestamp that the sweep selects by, saves it in the state of the item, and lists the item.</summary>
    /// <returns>False, with nothing changed, if the task has moved on or is gone.</returns>
    Task<bool> ParkTaskAsync(QuarantinedItem item, Sweep sweep, Guid id, CancellationToken cancellationToken);

    /// <summary>Whether a task is still parked under this kind.</summary>
    Task<bool> IsTaskParkedAsync(string kind, Guid id, CancellationToken cancellationToken);

    /// <summary>Restores the timestamp of a parked task: due at once, or, for an expiring task, the saved times.</summary>
    /// <returns>False if the task is no longer parked.</returns>
    Task<bool> UnparkTaskAsync(string kind, Guid id, ParkedTimes times, DateTime now, CancellationToken cancellationToken);

    /// <summary>Makes those of the tasks due for dispatch that wait for it.</summary>
    Task RedispatchAsync(IReadOnlyCollection<Guid> tasks, DateTime now, CancellationToken cancellationToken);

    /// <summary>Clears the texts of a task that a cancellation does not need, and sets its error.</summary>
    Task StripTaskAsync(Guid id, string error, CancellationToken cancellationToken);

    /// <summary>Leases a batch forever if no process holds it at <paramref name="now"/>, and lists the item.</summary>
    /// <returns>False, with nothing changed, if a process holds it or it is gone.</returns>
    Task<bool> ParkBatchAsync(QuarantinedItem item, Guid id, DateTime now, CancellationToken cancellationToken);

    /// <summary>Releases a parked batch.</summary>
    /// <param name="id">The batch.</param>
    /// <param name="heldUntil">A time in the past: a batch that has ended keeps a mark until its tasks are released.</param>
    /// <param name="cancellationToken">Cancels the change.</param>
    /// <returns>False if it is not parked.</returns>
    Task<bool> UnparkBatchAsync(Guid id, DateTime heldUntil, CancellationToken cancellationToken);

    /// <summary>Fails a parked batch that has not ended; a batch that has ended is only released.</summary>
    /// <param name="id">The batch.</param>
    /// <param name="errors">Its errors as JSON text.</param>
    /// <param name="now">When it fails.</param>
    /// <param name="heldUntil">As for <see cref="UnparkBatchAsync"/>.</param>
    /// <param name="cancellationToken">Cancels the change.</param>
    /// <returns>Whether this call failed the batch.</returns>
    Task<bool> FailBatchAsync(Guid id, string errors, DateTime now, DateTime heldUntil, CancellationToken cancellationToken);

    /// <summary>Fails a waiting callback without a finish time, so that it is kept, and lists the item.</summary>
    /// <returns>False, with nothing changed, if another process has claimed it since.</returns>
    Task<bool> ParkCallbackAsync(QuarantinedItem item, Callback callback, CancellationToken cancellationToken);

    /// <summary>Makes a failed callback due, with an empty log.</summary>
    /// <returns>False if it was sent or is gone.</returns>
    Task<bool> UnparkCallbackAsync(long id, DateTime now, CancellationToken cancellationToken);

    /// <summary>Sets the finish time of a parked callback.</summary>
    Task EndCallbackAsync(long id, DateTime now, CancellationToken cancellationToken);

    /// <summary>Clears the next tick of a schedule, and lists the item.</summary>
    /// <returns>False, with nothing changed, if the schedule has another tick or is gone.</returns>
    Task<bool> ParkScheduleAsync(QuarantinedItem item, int id, DateTime? tick, CancellationToken cancellationToken);

    /// <summary>Finds a schedule, or returns null. Its payload and headers are not decrypted.</summary>
    Task<ScheduleRecord?> FindScheduleAsync(int id, CancellationToken cancellationToken);

    /// <summary>Sets the next tick of a parked schedule, unless it was changed after it was read.</summary>
    Task UnparkScheduleAsync(ScheduleRecord schedule, DateTime? next, CancellationToken cancellationToken);

    /// <summary>Finds an event in the outbox; null if its retention is over.</summary>
    Task<TaskEvent?> FindEventAsync(int partition, long id, CancellationToken cancellationToken);

    /// <summary>Owner of a task; null if it has none or is gone.</summary>
    Task<string?> OwnerOfTaskAsync(Guid id, CancellationToken cancellationToken);
}
