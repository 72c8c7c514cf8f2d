using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>
/// From the outbox dispatcher to the waiting workers of all processes: a line a queue, where the lifecycle events have a line a task. A
/// process that only wakes its long-polls need not read those.
/// </summary>
/// <param name="Arrivals">One for each queue and tier.</param>
public sealed record WorkAvailable(IReadOnlyList<AvailableWork> Arrivals)
{
    /// <summary>What waits to be claimed, or falls due later, according to these events.</summary>
    public static WorkAvailable Of(IEnumerable<TaskEvent> events) =>
        new([.. events.Where(e => e.Frees || (e.DueAt is not null && !e.Dispatch)).GroupBy(e => new QueueTier(e.Queue, e.Tier))
            .Select(queue => new AvailableWork(
            queue.Key.Queue, queue.Key.Tier, queue.Count(e => e.DueAt <= e.At), queue.Where(e => e.DueAt > e.At)
                .Min(e => e.DueAt), queue.Count(e => e.Frees)))]);
}

/// <summary>Tasks of one queue and tier.</summary>
/// <param name="Queue">Base name.</param>
/// <param name="Tier">Level.</param>
/// <param name="Due">How many are due.</param>
/// <param name="NextDue">When the first of the others is.</param>
/// <param name="Freed">How many left a turn or a place to others, of whichever tier.</param>
public sealed record AvailableWork(string Queue, int Tier, int Due, DateTime? NextDue, int Freed = 0);
