using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>
/// Read-only queries over tasks. Deleted tasks are left out, although their rows may still exist, and so are tasks that the caller may not
/// read.
/// </summary>
public interface ITaskQueries
{
    /// <summary>One task, or null.</summary>
    /// <param name="id">The task.</param>
    /// <param name="access">Who asks.</param>
    /// <param name="cancellationToken">Stops the read.</param>
    /// <param name="texts">Whether its payload and its result are needed.</param>
    Task<TaskState?> FindAsync(Guid id, Access access, CancellationToken cancellationToken, bool texts = true);

    /// <summary>The same; memory is reserved before a large one is read.</summary>
    Task<TaskState?> FindAsync(Guid id, Access access, ReserveAnswer reserve, CancellationToken cancellationToken);

    /// <summary>Whether a task is there to be seen.</summary>
    Task<bool> IsSeenAsync(Guid id, Access access, CancellationToken cancellationToken);

    /// <summary>Whether a task has ended, or is not there to be seen.</summary>
    Task<bool> HasEndedAsync(Guid id, Access access, CancellationToken cancellationToken);

    /// <summary>Those of the tasks that exist, in no order.</summary>
    Task<List<TaskState>> FindManyAsync(
        IReadOnlyList<Guid> ids, Access access, CancellationToken cancellationToken, bool texts = true, ReserveAnswer? reserve = null);

    /// <summary>Those of the tasks that have ended, without their results; and those that are gone, as cancelled.</summary>
    Task<List<FinishedTask>> OutcomesAsync(IReadOnlyList<Guid> ids, CancellationToken cancellationToken);

    /// <summary>The result of a task; null where it has none or is gone.</summary>
    Task<string?> ResultAsync(Guid id, CancellationToken cancellationToken);

    /// <summary>Whose the tasks are, and of which queue: rows with nothing else. Tasks that are gone are missing.</summary>
    Task<Dictionary<Guid, TaskState>> OwnersAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken);

    /// <summary>Those of the tasks that have ended or are gone.</summary>
    Task<List<Guid>> EndedAsync(IReadOnlyList<Guid> ids, CancellationToken cancellationToken);

    /// <summary>The timeline of a task, oldest first.</summary>
    Task<List<TaskEvent>> TimelineAsync(Guid id, CancellationToken cancellationToken);

    /// <summary>The callbacks of a task or a batch, oldest first.</summary>
    Task<List<Callback>> CallbacksAsync(Guid id, CancellationToken cancellationToken);

    /// <summary>The newest tasks, all or of one state; fewer where they are large.</summary>
    Task<IReadOnlyList<TaskState>> NewestAsync(
        int? state, int max, Access access, CancellationToken cancellationToken, ReserveAnswer? reserve = null);

    /// <summary>A page of a queue's tasks.</summary>
    /// <param name="queue">Base name.</param>
    /// <param name="list">Which, and in which order.</param>
    /// <param name="from">Behind this place, or before it where <paramref name="back"/>; null is from the start.</param>
    /// <param name="max">At most so many; fewer where they are large.</param>
    /// <param name="access">Who asks.</param>
    /// <param name="cancellationToken">Stops the read.</param>
    /// <param name="back">The page that ends before <paramref name="from"/>, in the same order.</param>
    /// <param name="reserve">Reserves the memory of the page before it is read.</param>
    Task<TaskPage> ListAsync(
        string queue, TaskList list, TaskCursor? from, int max, Access access, CancellationToken cancellationToken, bool back = false,
            ReserveAnswer? reserve = null);

    /// <summary>The ids of dead letters of a queue behind a place, the oldest death first.</summary>
    Task<List<TaskCursor>> DeadAsync(string queue, TaskCursor? from, int max, CancellationToken cancellationToken);

    /// <summary>Tasks of a queue and tier that have waited since <paramref name="before"/> or longer; any of them, in no order.</summary>
    Task<List<Guid>> WaitingIdsAsync(QueueTier tier, DateTime before, int max, Access access, CancellationToken cancellationToken);

    /// <summary>
    /// Counts by queue and tier, of one or of all that have any tasks that the caller may see. What ended is counted for all tenants
    /// together, so who sees one tenant only gets the finished tasks that are still kept.
    /// </summary>
    Task<List<TierStats>> TierStatsAsync(QueueTier? only, Access access, CancellationToken cancellationToken);

    /// <summary>Counts of a queue, as the caller sees it: see <see cref="TierStatsAsync"/>.</summary>
    Task<QueueStats> QueueStatsAsync(string queue, Access access, CancellationToken cancellationToken);

    /// <summary>Queues in which tasks that the caller may see wait or run.</summary>
    Task<List<string>> QueuesAsync(Access access, CancellationToken cancellationToken);
}
