using TaskQueue.Contracts;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Storage;

/// <summary>The hot statements of the engine. One implementation a provider, with the same file names for the same operations.</summary>
public interface ITaskStore
{
    /// <summary>Begins the transaction of a group of commands.</summary>
    Task<ITaskSession> BeginAsync();

    /// <summary>
    /// Inserts new tasks and their Submitted events in one transaction; leaves alone ids that exist, and lets duplicates
    /// change the holders of their dedupe keys. Members of threads are held or get their turn.
    /// </summary>
    /// <param name="tasks">New tasks, in the order of their submission.</param>
    /// <param name="step">What they are made for; moved on in the same transaction.</param>
    /// <returns>What became of each, in order; null where another process took the step.</returns>
    /// <exception cref="TaskIdTakenException">The id of a line of a batch exists; nothing was written.</exception>
    Task<IReadOnlyList<SubmitResult>?> InsertAsync(IReadOnlyList<NewTask> tasks, InsertStep? step = null);

    /// <summary>Takes due tasks for a worker, exactly as the machine's Start would, in one statement: what it takes it returns.</summary>
    /// <returns>The tasks, first target first, then by priority, due time and id.</returns>
    Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, ClaimRules rules, DateTime now);

    /// <summary>
    /// The same for many requests that differ in worker, maximum and lease only, through gates and locks, in one transaction: first come, first
    /// served. The <see cref="ClaimRequest.MaxBytes"/> of the first bounds all together.
    /// </summary>
    /// <returns>The tasks of each request.</returns>
    Task<IReadOnlyList<IReadOnlyList<TaskState>>> ClaimTogetherAsync(IReadOnlyList<ClaimRequest> requests, ClaimRules rules, DateTime now);

    /// <summary>Frees a queue and level for sequential claims, whatever its task does.</summary>
    Task UnlockAsync(QueueLevel level);

    /// <summary>When the next waiting task of the targets falls due after <paramref name="now"/>.</summary>
    Task<DateTime?> NextDueAsync(IReadOnlyList<QueueLevel> targets, DateTime now);

    /// <summary>Ids of at most <paramref name="max"/> tasks that a sweep should look at, skipping those locked by others.</summary>
    Task<IReadOnlyList<Guid>> SelectAsync(Sweep sweep, DateTime now, int max);

    /// <summary>The earliest time at which a sweep will find a task; may be in the past.</summary>
    Task<DateTime?> NextAsync(Sweep sweep);

    /// <summary>
    /// After somebody set the clock: running tasks whose lease is over by it, or lasts longer than a lease can, get one from now; what
    /// waits and was accepted or tried in what is the future now is due. Again, it changes nothing.
    /// </summary>
    Task FollowClockAsync(DateTime now);

    /// <summary>Makes every push task that waits for its worker due for dispatch: after a start with the in-process bus, which forgets.</summary>
    Task RedispatchAllAsync(DateTime now);

    /// <summary>Tries to become the one outbox dispatcher of the database; null where another process is.</summary>
    /// <param name="wake">Called when another process committed events.</param>
    /// <param name="cancellationToken">Stops the try.</param>
    Task<IOutboxLease?> TryLeadRelayAsync(Action wake, CancellationToken cancellationToken);

    /// <summary>Tells the outbox dispatcher, wherever it runs, that events were committed.</summary>
    Task WakeRelayAsync();

    /// <summary>Where the outbox dispatcher stood when it last saved its cursors.</summary>
    Task<long[]> LoadCursorsAsync();

    /// <summary>Saves the cursors of all streams.</summary>
    Task SaveCursorsAsync(long[] cursors);

    /// <summary>Where the events end now: cursors with which a read finds those that are committed from now on.</summary>
    Task<long[]> EndOfEventsAsync();

    /// <summary>The events after the cursors, in the order of their ids, complete for every task among them.</summary>
    Task<IReadOnlyList<TaskEvent>> ReadEventsAsync(long[] cursors, int max);

    /// <summary>
    /// What bus workers get of these tasks, if they still wait to run: in the order of their ids, and no more than so many bytes of payloads and
    /// headers, but always one.
    /// </summary>
    Task<IReadOnlyList<TaskState>> ReadForDispatchAsync(IReadOnlyList<Guid> ids, long maxBytes);
}

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

/// <summary>Holds the right to dispatch the outbox.</summary>
public interface IOutboxLease : IAsyncDisposable
{
    /// <summary>Ends when the right is lost.</summary>
    Task Lost { get; }
}

/// <summary>What a sweep looks for.</summary>
public enum Sweep
{
    /// <summary>Waiting push tasks that are due for dispatch.</summary>
    Dispatch,

    /// <summary>Running tasks whose lease is over.</summary>
    Lapsed,

    /// <summary>Waiting tasks past their expiry.</summary>
    Expired,
}

/// <summary>A task to insert.</summary>
/// <param name="Task">Its row.</param>
/// <param name="Overwrite">What it changes on the holder of its dedupe key, where there is one.</param>
public sealed record NewTask(TaskState Task, OverwriteFields Overwrite = OverwriteFields.None)
{
    /// <summary>The payload as it is stored with the holder of its dedupe key; null where that makes no difference.</summary>
    internal Func<Guid, string>? PayloadFor { get; init; }
}

/// <summary>What must be moved on in the transaction of an insert, by whoever comes first; the insert of the second does nothing.</summary>
public abstract record InsertStep;

/// <summary>A tick of a schedule.</summary>
/// <param name="ScheduleId">The schedule.</param>
/// <param name="At">The tick.</param>
/// <param name="Next">The one after it; null where there is none.</param>
public sealed record ScheduleTick(int ScheduleId, DateTime At, DateTime? Next) : InsertStep;

/// <summary>Some lines of a batch in progress.</summary>
/// <param name="BatchId">The batch.</param>
/// <param name="From">Lines of its input that were done before.</param>
/// <param name="To">Lines that are done with this insert.</param>
/// <param name="Bytes">Bytes of the input behind them.</param>
/// <param name="Bad">Those among them that cannot be run.</param>
public sealed record BatchStep(Guid BatchId, int From, int To, long Bytes, IReadOnlyList<InvalidBatchItem> Bad) : InsertStep;

/// <summary>One level of a queue; written <c>name:level</c>.</summary>
/// <param name="Queue">Base name.</param>
/// <param name="Level">0 online, 1..N offline.</param>
public readonly record struct QueueLevel(string Queue, int Level);

/// <summary>What a worker asks for.</summary>
/// <param name="Targets">Where from, most wanted first.</param>
/// <param name="Max">At most so many tasks; a sequential claim takes one of each target instead.</param>
/// <param name="Worker">Who asks.</param>
/// <param name="LeaseMs">How long each may go without a heartbeat; null is as each task says, <see cref="UntilExpiry"/> as long as it lives.</param>
/// <param name="Order">Which first.</param>
public sealed record ClaimRequest(IReadOnlyList<QueueLevel> Targets, int Max, string Worker, int? LeaseMs, ClaimOrder Order = ClaimOrder.FirstTarget)
{
    /// <summary>A lease that lasts until the task expires.</summary>
    public const int UntilExpiry = 0;

    /// <summary>At most so many bytes of payloads and headers, but always one task.</summary>
    public long MaxBytes { get; init; } = int.MaxValue;

    /// <summary>Only tasks that have been due for so long.</summary>
    public int MinAgeMs { get; init; }

    /// <summary>
    /// How often each may be run again, of all its attempts; -1 is always. A task of level 0 never is (bella.md 6). Null is as
    /// each task says.
    /// </summary>
    public int? MaxRetries { get; init; }

    /// <summary>The credential that claims, which alone may report on the attempts; null where nobody had to authenticate.</summary>
    public string? Credential { get; init; }

    /// <summary>How long a sequential claim locks a target at least, while its task runs.</summary>
    public int LockMs { get; init; } = 600_000;

    /// <summary>
    /// Whether claims that share a target go one after the other, over all processes. Else a claim skips tasks that another one
    /// looks at, though that one may leave them.
    /// </summary>
    internal bool IsStrict => Order != ClaimOrder.FirstTarget;
}

/// <summary>Which tasks a claim takes first. Within a target: by priority, due time and id; of the oldest, by due time and id alone.</summary>
public enum ClaimOrder
{
    /// <summary>Those of the first target; the order is kept within a target as far as claims at the same time let it.</summary>
    FirstTarget,

    /// <summary>The oldest of all targets.</summary>
    Oldest,

    /// <summary>One of each target in turn.</summary>
    RoundRobin,

    /// <summary>Those of the first target, then of the second, exactly.</summary>
    ActivePassive,

    /// <summary>The first of each target that is not locked; it locks its target while it runs.</summary>
    Sequential,
}

/// <summary>What the settings of its queues mean for a claim.</summary>
/// <param name="Gates">The limits of those that have any.</param>
/// <param name="Silent">Queues whose starts are not written to the timeline.</param>
public sealed record ClaimRules(IReadOnlyList<QueueLimit> Gates, IReadOnlyList<string> Silent)
{
    /// <summary>No settings.</summary>
    public static readonly ClaimRules None = new([], []);
}

/// <summary>The limits of a queue.</summary>
/// <param name="Queue">Base name.</param>
/// <param name="MaxRunning">At most so many run; 0 is unlimited.</param>
/// <param name="Rate">Token bucket; null is unlimited.</param>
public sealed record QueueLimit(string Queue, int MaxRunning, RateLimit? Rate);
