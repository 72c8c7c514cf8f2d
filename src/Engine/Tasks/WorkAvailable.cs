using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>
/// Sent by the outbox dispatcher to the waiting workers of all processes: one entry for each queue, whereas lifecycle events have one for
/// each task. A process that only wakes long polls need not read those.
/// </summary>
/// <param name="Arrivals">One entry for each queue and tier.</param>
public sealed record WorkAvailable(IReadOnlyList<AvailableWork> Arrivals)
{
    /// <summary>Summarizes events: what is claimable now, or becomes due later.</summary>
    public static WorkAvailable Of(IEnumerable<TaskEvent> events) =>
        new([.. events.Where(e => e.ReleasesCapacity || (e.DueAt is not null && !e.Dispatch)).GroupBy(e => new QueueTier(e.Queue, e.Tier))
            .Select(queue => new AvailableWork(
            queue.Key.Queue, queue.Key.Tier, queue.Count(e => e.DueAt <= e.At),
            queue.Where(e => e.DueAt > e.At).Min(e => e.DueAt), queue.Count(e => e.ReleasesCapacity), queue.Min(e => e.DueAt)))]);
}

/// <summary>Available tasks of a queue and tier.</summary>
/// <param name="Queue">Base name.</param>
/// <param name="Tier">Tier.</param>
/// <param name="Due">Number of due tasks.</param>
/// <param name="NextDue">When the next other task becomes due.</param>
/// <param name="Freed">Number of tasks that released an ordering key or capacity for tasks of any tier.</param>
/// <param name="FirstDue">When the first of the tasks was due.</param>
public sealed record AvailableWork(string Queue, int Tier, int Due, DateTime? NextDue, int Freed = 0, DateTime? FirstDue = null);
