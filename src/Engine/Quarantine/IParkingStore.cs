using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Quarantine;

/// <summary>
/// Parks the rows of what is set aside, so that no loop processes them, and puts them back. A row is parked in the transaction that lists
/// its item; the store fills in the queue and the owner of the item.
/// </summary>
public interface IParkingStore
{
    /// <summary>Takes away the time that a sweep goes by, keeps it in the state of the item, and lists the item.</summary>
    /// <returns>False, with nothing changed, where the task has moved on or is gone.</returns>
    Task<bool> ParkTaskAsync(QuarantinedItem item, Sweep sweep, Guid id, CancellationToken cancellationToken);

    /// <summary>Whether a task is still parked as an item of this kind says.</summary>
    Task<bool> IsTaskParkedAsync(string kind, Guid id, CancellationToken cancellationToken);

    /// <summary>Gives a parked task its time back: at once, or, of one that was to expire, the times before.</summary>
    /// <returns>False where it is not parked any more.</returns>
    Task<bool> UnparkTaskAsync(string kind, Guid id, ParkedTimes times, DateTime now, CancellationToken cancellationToken);

    /// <summary>Removes from a task what a cancellation need not read, and sets its error.</summary>
    Task StripTaskAsync(Guid id, string error, CancellationToken cancellationToken);

    /// <summary>Holds a batch forever that nobody holds at <paramref name="now"/>, and lists the item.</summary>
    /// <returns>False, with nothing changed, where somebody holds it or it is gone.</returns>
    Task<bool> ParkBatchAsync(QuarantinedItem item, Guid id, DateTime now, CancellationToken cancellationToken);

    /// <summary>Releases a parked batch.</summary>
    /// <param name="id">The batch.</param>
    /// <param name="heldUntil">In the past: a batch that has ended keeps a mark until its tasks are released.</param>
    /// <param name="cancellationToken">Cancels the change.</param>
    /// <returns>False where it is not parked.</returns>
    Task<bool> UnparkBatchAsync(Guid id, DateTime heldUntil, CancellationToken cancellationToken);

    /// <summary>Fails a parked batch that has not ended; one that has ended is only released.</summary>
    /// <param name="id">The batch.</param>
    /// <param name="errors">Its errors as JSON text.</param>
    /// <param name="now">When it fails.</param>
    /// <param name="heldUntil">As for <see cref="UnparkBatchAsync"/>.</param>
    /// <param name="cancellationToken">Cancels the change.</param>
    /// <returns>Whether it failed by this call.</returns>
    Task<bool> FailBatchAsync(Guid id, string errors, DateTime now, DateTime heldUntil, CancellationToken cancellationToken);

    /// <summary>Fails a waiting callback without an end, so that it is kept, and lists the item.</summary>
    /// <returns>False, with nothing changed, where another process has taken it since.</returns>
    Task<bool> ParkCallbackAsync(QuarantinedItem item, Callback callback, CancellationToken cancellationToken);

    /// <summary>Makes a failed callback due, with an empty log.</summary>
    /// <returns>False where it was sent or is gone.</returns>
    Task<bool> UnparkCallbackAsync(long id, DateTime now, CancellationToken cancellationToken);

    /// <summary>Ends a parked callback.</summary>
    Task EndCallbackAsync(long id, DateTime now, CancellationToken cancellationToken);

    /// <summary>Takes its next tick away from a schedule, and lists the item.</summary>
    /// <returns>False, with nothing changed, where the schedule has another tick by now or is gone.</returns>
    Task<bool> ParkScheduleAsync(QuarantinedItem item, int id, DateTime? tick, CancellationToken cancellationToken);

    /// <summary>A schedule, or null. Its payload and headers are not decrypted.</summary>
    Task<ScheduleRecord?> FindScheduleAsync(int id, CancellationToken cancellationToken);

    /// <summary>Gives a parked schedule its next tick, unless it was changed since it was read.</summary>
    Task UnparkScheduleAsync(ScheduleRecord schedule, DateTime? next, CancellationToken cancellationToken);

    /// <summary>An event of the outbox; null where it is gone with its task.</summary>
    Task<TaskEvent?> FindEventAsync(int stream, long id, CancellationToken cancellationToken);

    /// <summary>Owner of a task; null where it has none or is gone.</summary>
    Task<string?> OwnerOfTaskAsync(Guid id, CancellationToken cancellationToken);
}
