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
    Task<PurgedTasks> PurgeAsync(string queue, EventPolicy events, DateTime now, int max, DateTime acceptedBefore);

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
/// <param name="Found">Number of tasks found, some of which may have ended before they were locked; the maximum if more are left.</param>
public sealed record PurgedTasks(int Cancelled, int Dead, int Found);

/// <summary>Counts of a queue over all tiers.</summary>
/// <param name="Waiting">Waiting tasks, due or not.</param>
/// <param name="Running">Tasks with a lease.</param>
/// <param name="Dead">Dead letters.</param>
/// <param name="Completed">Tasks completed since the last purge.</param>
/// <param name="Expired">Tasks expired since the last purge, including dead letters past their retention.</param>
/// <param name="OldestDueAt">Due time of the oldest claimable task, ignoring pauses and limits; null if there is none.</param>
public sealed record QueueStats(long Waiting, long Running, long Dead, long Completed, long Expired, DateTime? OldestDueAt);
