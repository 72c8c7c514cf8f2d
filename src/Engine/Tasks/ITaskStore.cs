using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>Hot-path statements of the engine, implemented by each provider with the same file names for the same operations.</summary>
public interface ITaskStore
{
    /// <summary>Begins the transaction of a command group.</summary>
    Task<ITaskSession> BeginAsync();

    /// <summary>
    /// Inserts new tasks and their Submitted events in one transaction. Existing ids are left unchanged, and duplicates update the holders
    /// of their dedupe keys. A task with an ordering key is blocked, or becomes the head of its key.
    /// </summary>
    /// <param name="tasks">New tasks in submission order.</param>
    /// <param name="step">What the tasks are inserted for; applied in the same transaction.</param>
    /// <returns>The result of each task, in order; null if another process applied the step.</returns>
    /// <exception cref="TaskIdTakenException">The id of a batch item exists; nothing was written.</exception>
    Task<IReadOnlyList<SubmitResult>?> InsertAsync(IReadOnlyList<NewTask> tasks, InsertStep? step = null);

    /// <summary>Claims due tasks for a worker in one statement, with the same effect as the state machine's Start.</summary>
    /// <returns>The tasks by target, priority, due time and id.</returns>
    Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, ClaimRules rules, DateTime now);

    /// <summary>
    /// Claims for several requests that differ only in worker, maximum and lease, under limits and locks, in one transaction, first come,
    /// first served. The <see cref="ClaimRequest.MaxBytes"/> of the first bounds their total.
    /// </summary>
    /// <returns>The tasks of each request.</returns>
    Task<IReadOnlyList<IReadOnlyList<TaskState>>> ClaimTogetherAsync(IReadOnlyList<ClaimRequest> requests, ClaimRules rules, DateTime now);

    /// <summary>Unlocks a queue and tier for sequential claims, whether or not its task still runs.</summary>
    Task UnlockAsync(QueueTier tier);

    /// <summary>
    /// Tells that another process has let tasks wait, so that claims of this one do not overlook them: a store may remember how far it has
    /// claimed a queue.
    /// </summary>
    /// <param name="target">Where they wait.</param>
    /// <param name="firstDue">When the first of them was due; null if tasks of all tiers may have been freed, due at any time.</param>
    void NoteWaiting(QueueTier target, DateTime? firstDue);

    /// <summary>When the next waiting task of the targets becomes due after <paramref name="now"/>.</summary>
    Task<DateTime?> NextDueAsync(IReadOnlyList<QueueTier> targets, DateTime now);

    /// <summary>Ids of at most <paramref name="max"/> tasks for a sweep, skipping those locked by others.</summary>
    Task<IReadOnlyList<Guid>> SelectAsync(Sweep sweep, DateTime now, int max);

    /// <summary>The earliest time, in the past or at most that much ahead, at which a sweep finds a task; null if there is none.</summary>
    Task<DateTime?> NextAsync(Sweep sweep, DateTime now, TimeSpan ahead);

    /// <summary>
    /// Adjusts to a clock that was set: running tasks whose lease has expired by it, or ends later than a lease can, get a new lease.
    /// Waiting tasks that were due when they were accepted, at what is now the future, become due; those attempted in what is now the
    /// future wait as long as after the attempt. Scheduled tasks keep their time. Idempotent.
    /// </summary>
    Task FollowClockAsync(DateTime now);

    /// <summary>Makes every waiting push task due for dispatch, after a start with the in-process bus, which loses its messages.</summary>
    Task RedispatchAllAsync(DateTime now);

    /// <summary>Tries to acquire the lease of the one outbox dispatcher of the database.</summary>
    /// <param name="address">Where others tell this process of committed events while it has the lease.</param>
    /// <param name="wake">Called when another process committed events, where the database can tell.</param>
    /// <param name="cancellationToken">Cancels the attempt.</param>
    Task<OutboxLeaseAnswer> TryAcquireOutboxLeaseAsync(string address, Action wake, CancellationToken cancellationToken);

    /// <summary>Loads the offsets that the outbox dispatcher last saved.</summary>
    Task<long[]> LoadOffsetsAsync();

    /// <summary>
    /// The offsets that were saved before the database's present server: events behind them may be others than those that were read
    /// before a failover. Where the server cannot be told from its predecessors, what was last saved.
    /// </summary>
    Task<long[]> LoadFailoverOffsetsAsync() => LoadOffsetsAsync();

    /// <summary>The current end of the event log, as offsets.</summary>
    Task<long[]> EndOfEventsAsync();

    /// <summary>Removes published rows of the outbox.</summary>
    /// <param name="before">Only rows written earlier.</param>
    /// <param name="max">Largest number of rows.</param>
    /// <returns>Number of rows removed.</returns>
    Task<int> RemovePublishedAsync(DateTime before, int max);

    /// <summary>Reads the events after the offsets, ordered by id, complete for every task among them.</summary>
    Task<IReadOnlyList<TaskEvent>> ReadEventsAsync(long[] cursors, int max);

    /// <summary>
    /// Reads those of the tasks that still wait, for dispatch to bus workers: in id order, up to <paramref name="maxBytes"/> of payloads
    /// and headers, but always one.
    /// </summary>
    Task<IReadOnlyList<TaskState>> ReadForDispatchAsync(IReadOnlyList<Guid> ids, long maxBytes);
}
