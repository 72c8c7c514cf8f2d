namespace TaskQueue.Engine.Queues;

/// <summary>Statements about whole queues. One implementation for each provider.</summary>
public interface IQueueStore
{
    /// <summary>Hands the waiting tasks of a queue that became a push queue to the scheduler.</summary>
    Task AdoptAsync(string queue);

    /// <summary>
    /// Makes the limits of a queue hold for the tasks that run already, and adds the row of its limits, which claims lock.
    /// </summary>
    Task ApplyLimitsAsync(string queue);

    /// <summary>Makes the waiting push tasks of a queue that goes on due for dispatch again.</summary>
    Task RearmAsync(string queue, DateTime now);

    /// <summary>Deletes what waits, runs or is dead in a queue, in one transaction, and resets its counters and its rate limit.</summary>
    /// <param name="queue">Base name.</param>
    /// <param name="events">Which cancellations are written.</param>
    /// <param name="now">The time of it.</param>
    /// <param name="acceptedBefore">Only tasks accepted before, and no counter; null is all.</param>
    /// <returns>How many were cancelled.</returns>
    Task<int> PurgeAsync(string queue, EventPolicy events, DateTime now, DateTime? acceptedBefore = null);

    /// <summary>Counts of a queue, each through an index.</summary>
    Task<QueueStats> StatsAsync(string queue, DateTime now);

    /// <summary>Removes rows of tasks that are gone, with their events, once those were published.</summary>
    /// <returns>How many tasks were removed.</returns>
    Task<int> RemoveDeletedAsync(DateTime now, int max);
}

/// <summary>What a queue holds, all tiers together.</summary>
/// <param name="Waiting">Tasks that wait to run, due or not.</param>
/// <param name="Running">Tasks with a lease.</param>
/// <param name="Dead">Dead letters.</param>
/// <param name="Completed">Tasks that ever completed, since the last purge.</param>
/// <param name="Expired">Tasks that ever expired, dead letters past their retention among them, since the last purge.</param>
/// <param name="OldestDueAt">Due time of the oldest task that could be claimed now, but for pauses and limits; null where there is
/// none.</param>
public sealed record QueueStats(long Waiting, long Running, long Dead, long Completed, long Expired, DateTime? OldestDueAt);
