using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>What a tier of a queue holds.</summary>
/// <param name="At">Queue and tier.</param>
/// <param name="Waiting">Tasks that wait to run, due or not.</param>
/// <param name="Running">Tasks with a lease.</param>
/// <param name="Completed">Tasks that ever completed, since the last purge.</param>
/// <param name="Ended">Tasks that ever ended, since the last purge.</param>
public sealed record TierStats(QueueTier At, long Waiting, long Running, long Completed, long Ended);
