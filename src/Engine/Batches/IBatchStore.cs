using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Batches;

/// <summary>What schedulers need to process batches: which are due, the lease on one, its tasks and its invalid items.</summary>
public interface IBatchStore
{
    /// <summary>
    /// Unleased batches with work to do, oldest first. Excludes batches that only wait for running tasks, and batches cancelled within the
    /// grace period whose running tasks may still end.
    /// </summary>
    /// <param name="grace">How long running tasks may continue after a cancellation.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    Task<List<Guid>> DueAsync(TimeSpan grace, CancellationToken cancellationToken);

    /// <summary>Batches that have ended but whose tasks were not released, because their scheduler crashed.</summary>
    Task<List<Guid>> UnreleasedAsync(CancellationToken cancellationToken);

    /// <summary>Acquires the lease on a batch that no process holds at <paramref name="now"/>.</summary>
    /// <returns>False if another process holds it.</returns>
    Task<bool> TryAcquireLeaseAsync(Guid id, DateTime now, DateTime until);

    /// <summary>Extends a lease.</summary>
    /// <param name="id">The batch.</param>
    /// <param name="held">The end of the lease as it was last set.</param>
    /// <param name="until">Its new end.</param>
    /// <returns>False if the lease was lost.</returns>
    Task<bool> RenewLeaseAsync(Guid id, DateTime held, DateTime until);

    /// <summary>Releases a lease that is still held. A batch that has ended keeps its mark until its tasks are released.</summary>
    Task ReleaseLeaseAsync(Guid id, DateTime held);

    /// <summary>Reads the current batch.</summary>
    /// <exception cref="UnreadableDataException">It cannot be decrypted.</exception>
    Task<BatchState> GetAsync(Guid id, CancellationToken cancellationToken);

    /// <summary>Whether any task of a batch waits or runs.</summary>
    Task<bool> HasLiveTasksAsync(Guid id, CancellationToken cancellationToken);

    /// <summary>Up to <paramref name="max"/> tasks of a batch that wait or, with <paramref name="alsoRunning"/>, wait or run.</summary>
    Task<List<Guid>> LiveAsync(Guid id, bool alsoRunning, int max, CancellationToken cancellationToken);

    /// <summary>
    /// The tasks of a batch that have ended, in the order of its items. They are read in pages of about 1 MiB, and no connection is held
    /// while the caller handles one.
    /// </summary>
    /// <param name="id">The batch.</param>
    /// <param name="reserve">Reserves memory for a page that is larger than those before; null: nobody does.</param>
    /// <param name="cancellationToken">Cancels the reads.</param>
    /// <exception cref="UnreadableDataException">One cannot be decrypted.</exception>
    IAsyncEnumerable<EndedBatchItem> EndedAsync(Guid id, ReserveAnswer? reserve, CancellationToken cancellationToken);

    /// <summary>The invalid items of a batch in their order, read in pages too.</summary>
    /// <exception cref="UnreadableDataException">One cannot be decrypted.</exception>
    IAsyncEnumerable<InvalidBatchItem> BadAsync(Guid id, CancellationToken cancellationToken);

    /// <summary>Lets retention delete the tasks of a finished batch from a time on, and removes its invalid items and counts.</summary>
    Task ReleaseAsync(Guid id, DateTime deleteAt, CancellationToken cancellationToken);
}
