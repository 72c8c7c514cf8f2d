using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Scaling;

/// <summary>Waiting and running tasks of all queues, and the size of the outbox.</summary>
/// <param name="Tiers">Queues and tiers with tasks.</param>
/// <param name="OutboxRows">Events not yet published by the outbox dispatcher, up to <see cref="MaxOutboxRows"/>.</param>
/// <param name="OutboxOldestAt">Time of the oldest of these events.</param>
/// <param name="Finished">Tasks completed or failed since the last purge, by tier, of the requested queues; tiers without any are
/// omitted.</param>
public sealed record Backlog(IReadOnlyList<TierBacklog> Tiers, long OutboxRows, DateTime? OutboxOldestAt,
    IReadOnlyDictionary<QueueTier, long> Finished)
{
    /// <summary>Maximum count of events: a long broker outage must not make counting expensive.</summary>
    public const int MaxOutboxRows = 64_000;
}

/// <summary>Waiting and running tasks of a queue and tier.</summary>
/// <param name="At">Queue and tier.</param>
/// <param name="Due">Tasks that may run now, ignoring pauses and limits.</param>
/// <param name="Later">Tasks scheduled for later.</param>
/// <param name="Blocked">Tasks blocked by another with the same ordering key.</param>
/// <param name="Running">Tasks with a lease.</param>
/// <param name="OldestDueAt">Due time of the oldest due task.</param>
public sealed record TierBacklog(QueueTier At, long Due, long Later, long Blocked, long Running, DateTime? OldestDueAt);
