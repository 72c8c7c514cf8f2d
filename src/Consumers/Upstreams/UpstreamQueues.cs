using Microsoft.Extensions.Options;
using TaskQueue.Engine.Administration;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>Determines the queues an upstream serves.</summary>
internal sealed class UpstreamQueues(QueueCatalog catalog, QueueService queues, IOptions<UpstreamList> list)
{
    /// <summary>Registers the default queue of each upstream without configured queues; an existing queue is left unchanged.</summary>
    public async Task RegisterAsync()
    {
        foreach (var endpoint in list.Value.Upstreams.Where(u => u.Queues.Count == 0).Select(u => u.Endpoint)
            .Distinct(StringComparer.Ordinal))
            await queues.CreateAsync(QueueRouter.UpstreamQueue(endpoint), Delivery.Pull, QueueSettings.Default, endpoint);
    }

    /// <summary>
    /// Claim order: tier by tier; within a tier in random order, so that each queue has its turn however many are empty. The first offline
    /// tier of the upstream's own queue stands for all of its lanes, each of which has its turn like a queue.
    /// </summary>
    public async Task<IReadOnlyList<QueueTier>> TargetsAsync(UpstreamOptions upstream)
    {
        var own = upstream.Queues.Count > 0 ? null : QueueRouter.UpstreamQueue(upstream.Endpoint);
        var names = own is null ? upstream.Queues : await FindAsync(upstream.Endpoint, own);
        var targets = new List<QueueTier>();
        foreach (var tier in upstream.ServedTiers)
        {
            QueueTier[] equal = [.. names.SelectMany(name =>
                tier == BatchLanes.First && name == own ? BatchLanes.Of(name) : [new QueueTier(name, tier)])];
#pragma warning disable CA5394 // fairness is not a secret
            Random.Shared.Shuffle(equal);
#pragma warning restore CA5394
            targets.AddRange(equal);
        }

        return targets;
    }

    private async Task<IList<string>> FindAsync(string endpoint, string own)
    {
        var taken = list.Value.Upstreams.SelectMany(u => u.Queues).ToHashSet(StringComparer.Ordinal);
        return [.. (await catalog.AllAsync()).Values
            .Where(q => q.Delivery == Delivery.Pull && (q.Endpoint == endpoint || q.Name == own) && !taken.Contains(q.Name))
                .Select(q => q.Name).Order(StringComparer.Ordinal)];
    }
}
