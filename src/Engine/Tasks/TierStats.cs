using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>Counts of a tier of a queue.</summary>
/// <param name="At">Queue and tier.</param>
/// <param name="Waiting">Waiting tasks, due or not.</param>
/// <param name="Running">Tasks with a lease.</param>
/// <param name="Completed">Tasks completed since the last purge.</param>
/// <param name="Ended">Tasks ended since the last purge.</param>
public sealed record TierStats(QueueTier At, long Waiting, long Running, long Completed, long Ended);
