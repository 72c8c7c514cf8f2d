namespace TaskQueue.Engine.Queues;

/// <summary>Statements on whole queues, implemented by each provider.</summary>
public interface IQueueStore
{
    /// <summary>Hands the waiting tasks of a new push queue to the scheduler.</summary>
    Task AdoptAsync(string queue);

    /// <summary>Applies the limits of a queue to its running tasks, and adds the limits row that claims lock.</summary>
    Task ApplyLimitsAsync(string queue);

    /// <summary>Makes the waiting push tasks of a resumed queue due for dispatch again.</summary>
    Task RearmAsync(string queue, DateTime now);

    /// <summary>One step of a purge, in one transaction: deletes some of the waiting, running and dead tasks of a queue.</summary>
    /// <param name="queue">Base name.</param>
    /// <param name="events">Whether cancellations are written as events.</param>
    /// <param name="now">Time of the cancellation.</param>
    /// <param name="max">Largest number of tasks of the step.</param>
    /// <param name="acceptedBefore">Only tasks accepted earlier.</param>
    /// <param name="from">Where the step begins: it does not read again what the last one has purged.</param>
    Task<PurgedTasks> PurgeAsync(string queue, EventPolicy events, DateTime now, int max, DateTime acceptedBefore, PurgeMark from);

    /// <summary>Resets the counters of a queue and refills its token bucket.</summary>
    Task ResetAsync(string queue);

    /// <summary>Counts of a queue, each computed through an index.</summary>
    Task<QueueStats> StatsAsync(string queue, DateTime now);

    /// <summary>Removes rows of deleted tasks and their events, once these are published.</summary>
    /// <returns>Number of tasks removed.</returns>
    Task<int> RemoveDeletedAsync(DateTime now, int max);
}

/// <summary>The tasks of one step of a purge.</summary>
/// <param name="Cancelled">Number of waiting and running tasks.</param>
/// <param name="Dead">Number of dead letters.</param>
/// <param name="Found">Number of tasks found, some of which may have ended before they were locked.</param>
/// <param name="Next">Where the next step begins; null at the end of the pass.</param>
public sealed record PurgedTasks(int Cancelled, int Dead, int Found, PurgeMark? Next);

/// <summary>What a purge goes through, one after the other, each in the order of an index.</summary>
public enum PurgePart
{
    /// <summary>What waits and is not blocked: by tier, priority, due time, time of acceptance and id.</summary>
    Waiting = 1,

    /// <summary>What waits behind the head of its ordering key: by key, due time, time of acceptance and id.</summary>
    Blocked = 2,

    /// <summary>What runs: by id.</summary>
    Running = 3,

    /// <summary>Dead letters: by time of failure and id.</summary>
    Dead = 4,
}

/// <summary>The last task that a purge has found, or the beginning of a part. A part does not use all fields.</summary>
/// <param name="Part">The part.</param>
/// <param name="Tier">Tier.</param>
/// <param name="Priority">Priority.</param>
/// <param name="Key">Ordering key.</param>
/// <param name="At">Due time, or time of failure.</param>
/// <param name="AcceptedAt">Time of acceptance of what waits.</param>
/// <param name="Id">Id.</param>
public sealed record PurgeMark(PurgePart Part, int Tier, int Priority, string Key, DateTime At, DateTime AcceptedAt, Guid Id)
{
    /// <summary>The beginning of the first part.</summary>
    public static readonly PurgeMark First = Begin(PurgePart.Waiting);

    /// <summary>The beginning of the next part; null after the last one.</summary>
    internal PurgeMark? NextPart => Part == PurgePart.Dead ? null : Begin(Part + 1);

    private static PurgeMark Begin(PurgePart part) =>
        new(part, int.MinValue, int.MinValue, "", DateTime.UnixEpoch, DateTime.UnixEpoch, Guid.Empty);
}

/// <summary>Counts of a queue over all tiers.</summary>
/// <param name="Waiting">Waiting tasks, due or not.</param>
/// <param name="Running">Tasks with a lease.</param>
/// <param name="Dead">Dead letters.</param>
/// <param name="Completed">Tasks completed since the last purge.</param>
/// <param name="Expired">Tasks expired since the last purge, including dead letters past their retention.</param>
/// <param name="OldestDueAt">Due time of the oldest claimable task, ignoring pauses and limits; null if there is none.</param>
public sealed record QueueStats(long Waiting, long Running, long Dead, long Completed, long Expired, DateTime? OldestDueAt);
