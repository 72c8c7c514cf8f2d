using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>
/// Read-only queries over tasks. Excludes deleted tasks, although their rows may still exist, and tasks that the caller may not read.
/// </summary>
public interface ITaskQueries
{
    /// <summary>Finds a task, or returns null.</summary>
    /// <param name="id">The task.</param>
    /// <param name="access">The caller's access.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    /// <param name="texts">Whether to read its payload and result.</param>
    Task<TaskState?> FindAsync(Guid id, Access access, CancellationToken cancellationToken, bool texts = true);

    /// <summary>Finds a task, or returns null; reserves memory before reading a large one.</summary>
    Task<TaskState?> FindAsync(Guid id, Access access, ReserveAnswer reserve, CancellationToken cancellationToken);

    /// <summary>Whether a task exists for the caller.</summary>
    Task<bool> IsSeenAsync(Guid id, Access access, CancellationToken cancellationToken);

    /// <summary>Whether a task has ended, or does not exist for the caller.</summary>
    Task<bool> HasEndedAsync(Guid id, Access access, CancellationToken cancellationToken);

    /// <summary>The existing ones of the given tasks, in no order.</summary>
    Task<List<TaskState>> FindManyAsync(
        IReadOnlyList<Guid> ids, Access access, CancellationToken cancellationToken, bool texts = true, ReserveAnswer? reserve = null);

    /// <summary>Those of the tasks that have ended, without their results, and those that are gone, as cancelled.</summary>
    Task<List<FinishedTask>> OutcomesAsync(IReadOnlyList<Guid> ids, CancellationToken cancellationToken);

    /// <summary>The result of a task; null if it has none or is gone.</summary>
    Task<string?> ResultAsync(Guid id, CancellationToken cancellationToken);

    /// <summary>Owners and queues of tasks: rows with no other columns. Tasks that are gone are omitted.</summary>
    Task<Dictionary<Guid, TaskState>> OwnersAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken);

    /// <summary>Those of the tasks that have ended or are gone.</summary>
    Task<List<Guid>> EndedAsync(IReadOnlyList<Guid> ids, CancellationToken cancellationToken);

    /// <summary>The timeline of a task, oldest first; empty if it is gone.</summary>
    Task<List<TaskEvent>> TimelineAsync(Guid id, ReserveAnswer reserve, CancellationToken cancellationToken);

    /// <summary>The callbacks of a task or a batch, oldest first.</summary>
    Task<List<Callback>> CallbacksAsync(Guid id, CancellationToken cancellationToken);

    /// <summary>The newest tasks, of all states or one; fewer if they are large.</summary>
    Task<IReadOnlyList<TaskState>> NewestAsync(
        int? state, int max, Access access, CancellationToken cancellationToken, ReserveAnswer? reserve = null);

    /// <summary>Lists a page of a queue's tasks.</summary>
    /// <param name="queue">Base name.</param>
    /// <param name="list">Selects the tasks and their order.</param>
    /// <param name="from">Tasks after this position, or before it if <paramref name="back"/>; null starts from the beginning.</param>
    /// <param name="max">Maximum number of tasks; fewer are returned if they are large.</param>
    /// <param name="access">The caller's access.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    /// <param name="back">Whether to read the page before <paramref name="from"/>, in the same order.</param>
    /// <param name="reserve">Reserves memory for the page before it is read.</param>
    Task<TaskPage> ListAsync(
        string queue, TaskList list, TaskCursor? from, int max, Access access, CancellationToken cancellationToken, bool back = false,
        ReserveAnswer? reserve = null);

    /// <summary>Ids of a queue's dead letters after a position, oldest first; with an access only those that the caller may see.</summary>
    Task<List<TaskCursor>> DeadAsync(string queue, TaskCursor? from, int max, CancellationToken cancellationToken, Access? access = null);

    /// <summary>
    /// Ids of the tasks of a queue that wait, run or are dead letters, and were created no later than <paramref name="before"/>: after an
    /// id, in the order of ids.
    /// </summary>
    Task<List<Guid>> LiveIdsAsync(string queue, Guid? from, DateTime before, int max, Access access, CancellationToken cancellationToken);

    /// <summary>Tasks of a queue and tier that have waited since <paramref name="before"/> or longer, in no order.</summary>
    Task<List<Guid>> WaitingIdsAsync(QueueTier tier, DateTime before, int max, Access access, CancellationToken cancellationToken);

    /// <summary>
    /// Counts by queue and tier, of one or of all with tasks that the caller may see. The completion counters cover all tenants together,
    /// so a caller limited to its tenant gets the count of retained finished tasks instead.
    /// </summary>
    Task<List<TierStats>> TierStatsAsync(QueueTier? only, Access access, CancellationToken cancellationToken);

    /// <summary>Counts of a queue as the caller sees it: see <see cref="TierStatsAsync"/>.</summary>
    Task<QueueStats> QueueStatsAsync(string queue, Access access, CancellationToken cancellationToken);

    /// <summary>Number of waiting tasks of a queue that are not due yet.</summary>
    Task<long> LaterAsync(string queue, Access access, CancellationToken cancellationToken);

    /// <summary>Queues with waiting or running tasks that the caller may see.</summary>
    Task<List<string>> QueuesAsync(Access access, CancellationToken cancellationToken);

    /// <summary>Queues in which tasks that the caller may see have ended since their last purge, by their counters.</summary>
    Task<List<string>> EndedQueuesAsync(Access access, CancellationToken cancellationToken);

    /// <summary>Whether <see cref="EndedQueuesAsync"/> has a queue.</summary>
    Task<bool> IsEndedQueueAsync(string queue, Access access, CancellationToken cancellationToken);
}
