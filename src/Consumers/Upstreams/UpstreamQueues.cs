using Microsoft.Extensions.Options;
using TaskQueue.Engine.Administration;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>Determines the queues an upstream serves.</summary>
internal sealed class UpstreamQueues(QueueCatalog catalog, QueueService queues, IOptions<UpstreamList> list)
{
    private static readonly int[] UsualTiers = [0, 1];

    /// <summary>Registers the default queue of each upstream without configured queues; an existing queue is left unchanged.</summary>
    public async Task RegisterAsync()
    {
        foreach (var endpoint in list.Value.Upstreams.Where(u => u.Queues.Count == 0).Select(u => u.Endpoint)
            .Distinct(StringComparer.Ordinal))
            await queues.CreateAsync(QueueRouter.UpstreamQueue(endpoint), Delivery.Pull, QueueSettings.Default, endpoint);
    }

    /// <summary>Claim order: tier by tier; within a tier the first queue rotates.</summary>
    /// <param name="upstream">The upstream.</param>
    /// <param name="turn">Increases with each claim.</param>
    public async Task<IReadOnlyList<QueueTier>> TargetsAsync(UpstreamOptions upstream, int turn)
    {
        var names = upstream.Queues.Count > 0 ? upstream.Queues : await FindAsync(upstream.Endpoint);
        var first = names.Count == 0 ? 0 : (int)((uint)turn % names.Count);
        return [.. from tier in upstream.Tiers.Count > 0 ? upstream.Tiers : UsualTiers
                   from name in names.Skip(first).Concat(names.Take(first))
                   select new QueueTier(name, tier)];
    }

    private async Task<IList<string>> FindAsync(string endpoint)
    {
        var own = QueueRouter.UpstreamQueue(endpoint);
        var taken = list.Value.Upstreams.SelectMany(u => u.Queues).ToHashSet(StringComparer.Ordinal);
        return [.. (await catalog.AllAsync()).Values
            .Where(q => q.Delivery == Delivery.Pull && (q.Endpoint == endpoint || q.Name == own) && !taken.Contains(q.Name))
                .Select(q => q.Name).Order(StringComparer.Ordinal)];
    }
}
