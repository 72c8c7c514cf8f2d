using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Bulk;

/// <summary>Operations and their tasks.</summary>
public interface IBulkOperationStore
{
    /// <summary>Adds an operation, unless its owner has too many that have not ended.</summary>
    /// <returns>Whether it was added.</returns>
    Task<bool> AddAsync(BulkOperation operation, int maxUnfinished, CancellationToken cancellationToken);

    /// <summary>Lists operations that exist for a caller, newest first.</summary>
    /// <param name="before">Only older ones; null is the beginning.</param>
    /// <param name="max">Most operations.</param>
    /// <param name="access">The caller's access.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    Task<List<BulkOperation>> ListAsync(Guid? before, int max, Access access, CancellationToken cancellationToken);

    /// <summary>Finds an operation, or returns null.</summary>
    Task<BulkOperation?> FindAsync(Guid id, Access access, CancellationToken cancellationToken);

    /// <summary>Changes the state of an operation if it has one of the given states.</summary>
    /// <param name="id">The operation.</param>
    /// <param name="from">States that it may have.</param>
    /// <param name="to">Its new state.</param>
    /// <param name="now">The time.</param>
    /// <param name="undoAs">Stored access of the caller that undoes it; null if it is not undone.</param>
    /// <param name="cancellationToken">Cancels the change.</param>
    /// <returns>Whether it was changed.</returns>
    Task<bool> ChangeAsync(
        Guid id, IReadOnlyList<BulkState> from, BulkState to, DateTime now, string? undoAs, CancellationToken cancellationToken);

    /// <summary>Operations that no scheduler holds and whose next step may begin, those that waited longest first.</summary>
    Task<List<Guid>> DueAsync(DateTime now, int max, CancellationToken cancellationToken);

    /// <summary>
    /// Acquires the lease on an operation that has not ended, unless another scheduler holds it: then null. One that cannot be read has a
    /// problem.
    /// </summary>
    Task<BulkOperation?> TryLeaseAsync(Guid id, DateTime now, DateTime until, CancellationToken cancellationToken);

    /// <summary>Releases a lease that is still held.</summary>
    Task ReleaseAsync(Guid id, DateTime held);

    /// <summary>Begins a step: notes its tasks, and where the next one begins.</summary>
    /// <returns>The end of the renewed lease; null if it was lost, or the operation is no longer to be carried out.</returns>
    Task<DateTime?> BeginStepAsync(BulkLease lease, BulkStep step, CancellationToken cancellationToken);

    /// <summary>Tasks of a step that were not done when it was interrupted. One that cannot be read has a problem.</summary>
    Task<List<BulkOperationTask>> OpenTasksAsync(Guid id, CancellationToken cancellationToken);

    /// <summary>Ends a step: counts its tasks, and keeps those that were changed.</summary>
    /// <returns>The end of the renewed lease; null if it was lost.</returns>
    Task<DateTime?> EndStepAsync(BulkLease lease, BulkStepEnd end, CancellationToken cancellationToken);

    /// <summary>Changed tasks that can be put back. One that cannot be read has a problem.</summary>
    Task<List<BulkOperationTask>> KeptAsync(Guid id, int max, CancellationToken cancellationToken);

    /// <summary>Ends a step of an undo: forgets its tasks.</summary>
    /// <returns>The end of the renewed lease; null if it was lost.</returns>
    Task<DateTime?> EndUndoStepAsync(BulkLease lease, BulkUndoEnd end, CancellationToken cancellationToken);

    /// <summary>Ends an operation, unless it was paused or cancelled in the meantime.</summary>
    Task FinishAsync(BulkLease lease, BulkState state, DateTime now, CancellationToken cancellationToken);

    /// <summary>Notes that a step failed, and pauses the operation if too many did.</summary>
    Task FailAsync(BulkLease lease, string error, DateTime dueAt, bool pause);

    /// <summary>Puts off the next step, because the database failed for a moment.</summary>
    Task PostponeAsync(BulkLease lease, DateTime dueAt);

    /// <summary>Removes operations that ended before a time.</summary>
    /// <returns>Number of operations removed.</returns>
    Task<int> RemoveAsync(DateTime before, int max, CancellationToken cancellationToken);

    /// <summary>Removes the oldest ended operations of owners that have more of them than that.</summary>
    /// <returns>Number of operations removed.</returns>
    Task<int> RemoveExcessAsync(int most, int max, CancellationToken cancellationToken);
}

/// <summary>A lease on an operation.</summary>
/// <param name="Id">The operation.</param>
/// <param name="Held">Its end as it was last set.</param>
/// <param name="Until">Its end once it is renewed.</param>
public sealed record BulkLease(Guid Id, DateTime Held, DateTime Until);

/// <summary>A step that begins.</summary>
/// <param name="Tasks">The tasks that it changes, as they are; none if all are skipped.</param>
/// <param name="Now">When it begins.</param>
public sealed record BulkStep(IReadOnlyList<BulkOperationTask> Tasks, DateTime Now)
{
    /// <summary>Where the next step begins: <see cref="BulkOperation.Before"/>.</summary>
    public Guid? Before { get; init; }

    /// <summary>Where the next step begins: <see cref="BulkOperation.Position"/>.</summary>
    public int Position { get; init; }

    /// <summary>Whether there is no next step.</summary>
    public bool IsLast { get; init; }

    /// <summary>Tasks that are not changed.</summary>
    public int Skipped { get; init; }

    /// <summary>Tasks that cannot be changed.</summary>
    public int Failed { get; init; }

    /// <summary>Why the last of them cannot.</summary>
    public string? Error { get; init; }
}

/// <summary>A step that ends.</summary>
/// <param name="Done">Tasks that were changed.</param>
/// <param name="Others">Tasks that were not.</param>
/// <param name="Failed">Number of the others that could not be changed; the rest was in no state for it.</param>
/// <param name="Error">Why the last of them could not.</param>
/// <param name="DueAt">When the next step may begin.</param>
/// <param name="Now">When it ends.</param>
public sealed record BulkStepEnd(
    IReadOnlyList<BulkOperationTask> Done, IReadOnlyList<BulkOperationTask> Others, int Failed, string? Error, DateTime DueAt,
    DateTime Now)
{
    /// <summary>Tasks of the step of which nothing is known: it goes on with them. None if it ends.</summary>
    public IReadOnlyList<BulkOperationTask> Open { get; init; } = [];
}

/// <summary>A step of an undo that ends.</summary>
/// <param name="Tasks">Its tasks.</param>
/// <param name="Undone">Number of those that were put back.</param>
/// <param name="Error">Why the last of the others could not.</param>
/// <param name="DueAt">When the next step may begin.</param>
public sealed record BulkUndoEnd(IReadOnlyList<BulkOperationTask> Tasks, int Undone, string? Error, DateTime DueAt);
