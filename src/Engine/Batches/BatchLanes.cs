using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Batches;

/// <summary>
/// Lanes are the tiers of an upstream's own queue among which owners of batches are spread. The upstream takes from each in turn, so that
/// the batches of one owner do not wait behind those of another.
/// </summary>
public sealed class BatchLanes(IBatchQueries queries, ServedQueues served)
{
    /// <summary>Tier of the first lane; tasks that are no items of batches are in it too.</summary>
    public const int First = 1;

    /// <summary>Number of lanes; more owners at the same time share them.</summary>
    public const int Count = 8;

    /// <summary>All lanes of a queue.</summary>
    public static IEnumerable<QueueTier> Of(string queue) => Enumerable.Range(First, Count).Select(tier => new QueueTier(queue, tier));

    /// <summary>
    /// The tier of a new batch. In an upstream's own queue it is the lane of the owner's other batches; else the first of those with the
    /// fewest owners. Other queues have no lanes.
    /// </summary>
    public async Task<int> ChooseAsync(string queue, string? owner, CancellationToken cancellationToken)
    {
        if (!served.IsOwn(queue))
            return First;
        var taken = await queries.LanesAsync(queue, cancellationToken);
        return taken.Find(l => l.Owner == owner) is { } own ? own.Tier
            : Enumerable.Range(First, Count).MinBy(tier => taken.Count(l => l.Tier == tier));
    }
}

/// <summary>An owner of batches that have not ended, and a tier that they use.</summary>
/// <param name="Owner">The owner; null is no owner.</param>
/// <param name="Tier">The tier.</param>
public sealed record BatchLane(string? Owner, int Tier);
