using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Scaling;

/// <summary>What waits and runs.</summary>
/// <param name="Tiers">Queues and tiers that have any tasks.</param>
/// <param name="OutboxRows">Events that the outbox dispatcher has not noted as sent, up to <see cref="MaxOutboxRows"/>.</param>
/// <param name="OutboxOldestAt">Time of the oldest of them.</param>
/// <param name="Finished">How many tasks of the counted queues have completed or failed since the last purge, by tier; none where there is
/// no entry.</param>
public sealed record Backlog(IReadOnlyList<TierBacklog> Tiers, long OutboxRows, DateTime? OutboxOldestAt,
    IReadOnlyDictionary<QueueTier, long> Finished)
{
    /// <summary>Where the count of events ends: a broker that is away for long must not make it costly.</summary>
    public const int MaxOutboxRows = 64_000;
}

/// <summary>What waits and runs of a queue and tier.</summary>
/// <param name="At">Queue and tier.</param>
/// <param name="Due">Tasks that may run now, but for pauses and limits.</param>
/// <param name="Later">Tasks whose time is to come.</param>
/// <param name="Blocked">Tasks behind another with their ordering key.</param>
/// <param name="Running">Tasks with a lease.</param>
/// <param name="OldestDueAt">Due time of the oldest that is due.</param>
public sealed record TierBacklog(QueueTier At, long Due, long Later, long Blocked, long Running, DateTime? OldestDueAt);
