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

    /// <summary>
    /// Deletes the waiting, running and dead tasks of a queue in one transaction, and resets its counters and rate limit.
    /// </summary>
    /// <param name="queue">Base name.</param>
    /// <param name="events">Which cancellation events are written.</param>
    /// <param name="now">Time of the purge.</param>
    /// <param name="acceptedBefore">Only tasks accepted before this time, without resetting counters; null is all tasks.</param>
    /// <returns>Number of tasks cancelled.</returns>
    Task<int> PurgeAsync(string queue, EventPolicy events, DateTime now, DateTime? acceptedBefore = null);

    /// <summary>Counts of a queue, each computed through an index.</summary>
    Task<QueueStats> StatsAsync(string queue, DateTime now);

    /// <summary>Removes rows of deleted tasks and their events, once these are published.</summary>
    /// <returns>Number of tasks removed.</returns>
    Task<int> RemoveDeletedAsync(DateTime now, int max);
}

/// <summary>Counts of a queue over all tiers.</summary>
/// <param name="Waiting">Waiting tasks, due or not.</param>
/// <param name="Running">Tasks with a lease.</param>
/// <param name="Dead">Dead letters.</param>
/// <param name="Completed">Tasks completed since the last purge.</param>
/// <param name="Expired">Tasks expired since the last purge, including dead letters past their retention.</param>
/// <param name="OldestDueAt">Due time of the oldest claimable task, ignoring pauses and limits; null if there is none.</param>
public sealed record QueueStats(long Waiting, long Running, long Dead, long Completed, long Expired, DateTime? OldestDueAt);
