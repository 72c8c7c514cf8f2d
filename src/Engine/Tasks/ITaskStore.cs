using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>The hot statements of the engine. One implementation a provider, with the same file names for the same operations.</summary>
public interface ITaskStore
{
    /// <summary>Begins the transaction of a group of commands.</summary>
    Task<ITaskSession> BeginAsync();

    /// <summary>
    /// Inserts new tasks and their Submitted events in one transaction. Existing ids are left unchanged, and duplicates change the holders
    /// of their dedupe keys. A task with an ordering key is blocked, or becomes the head of its key.
    /// </summary>
    /// <param name="tasks">New tasks, in the order of their submission.</param>
    /// <param name="step">What they are made for; applied in the same transaction.</param>
    /// <returns>The result of each, in order; null where another process applied the step.</returns>
    /// <exception cref="TaskIdTakenException">The id of a batch item exists; nothing was written.</exception>
    Task<IReadOnlyList<SubmitResult>?> InsertAsync(IReadOnlyList<NewTask> tasks, InsertStep? step = null);

    /// <summary>Claims due tasks for a worker in one statement, exactly as the machine's Start would.</summary>
    /// <returns>The tasks, first target first, then by priority, due time and id.</returns>
    Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, ClaimRules rules, DateTime now);

    /// <summary>
    /// Claims for many requests that differ in worker, maximum and lease only, under limits and locks, in one transaction: first come,
    /// first served. The <see cref="ClaimRequest.MaxBytes"/> of the first bounds all of them together.
    /// </summary>
    /// <returns>The tasks of each request.</returns>
    Task<IReadOnlyList<IReadOnlyList<TaskState>>> ClaimTogetherAsync(IReadOnlyList<ClaimRequest> requests, ClaimRules rules, DateTime now);

    /// <summary>Unlocks a queue and tier for sequential claims, whether or not its task still runs.</summary>
    Task UnlockAsync(QueueTier tier);

    /// <summary>When the next waiting task of the targets falls due after <paramref name="now"/>.</summary>
    Task<DateTime?> NextDueAsync(IReadOnlyList<QueueTier> targets, DateTime now);

    /// <summary>Ids of at most <paramref name="max"/> tasks that a sweep should look at, skipping those locked by others.</summary>
    Task<IReadOnlyList<Guid>> SelectAsync(Sweep sweep, DateTime now, int max);

    /// <summary>The earliest time at which a sweep will find a task; may be in the past.</summary>
    Task<DateTime?> NextAsync(Sweep sweep);

    /// <summary>
    /// Follows a clock that was set: running tasks whose lease has expired by it, or lasts longer than a lease can, get one from now;
    /// waiting tasks that were accepted or tried in what is now the future become due. Idempotent.
    /// </summary>
    Task FollowClockAsync(DateTime now);

    /// <summary>
    /// Makes every push task that waits for its worker due for dispatch: after a start with the in-process bus, which keeps nothing.
    /// </summary>
    Task RedispatchAllAsync(DateTime now);

    /// <summary>Tries to acquire the lease of the one outbox dispatcher of the database; null where another process holds it.</summary>
    /// <param name="wake">Called when another process committed events.</param>
    /// <param name="cancellationToken">Cancels the attempt.</param>
    Task<IOutboxLease?> TryAcquireOutboxLeaseAsync(Action wake, CancellationToken cancellationToken);

    /// <summary>Tells the outbox dispatcher, wherever it runs, that events were committed.</summary>
    Task WakeDispatcherAsync();

    /// <summary>Where the outbox dispatcher stood when it last saved its cursors.</summary>
    Task<long[]> LoadCursorsAsync();

    /// <summary>Saves the cursors of all streams.</summary>
    Task SaveCursorsAsync(long[] cursors);

    /// <summary>Where the events end now: cursors with which a read finds those that are committed from now on.</summary>
    Task<long[]> EndOfEventsAsync();

    /// <summary>The events after the cursors, in the order of their ids, complete for every task among them.</summary>
    Task<IReadOnlyList<TaskEvent>> ReadEventsAsync(long[] cursors, int max);

    /// <summary>
    /// What bus workers get of those of these tasks that still wait to run: in the order of their ids, up to <paramref name="maxBytes"/> of
    /// payloads and headers, but always one.
    /// </summary>
    Task<IReadOnlyList<TaskState>> ReadForDispatchAsync(IReadOnlyList<Guid> ids, long maxBytes);
}
