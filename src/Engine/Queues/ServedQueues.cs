using Microsoft.Extensions.Configuration;

namespace TaskQueue.Engine.Queues;

/// <summary>
/// Which queues upstreams serve, for those that are not in their role: both read the configuration of upstreams.
/// </summary>
public sealed class ServedQueues(IConfiguration configuration)
{
    /// <summary>Whether a queue is an upstream's own, which it serves with all of its lanes.</summary>
    public bool IsOwn(string queue) => Upstreams().Any(u => u.Queues.Count == 0 && QueueRouter.UpstreamQueue(u.Endpoint) == queue);

    /// <summary>Whether an upstream serves a queue.</summary>
    /// <param name="queue">The queue.</param>
    /// <param name="endpoint">The endpoint for which it is registered; null if there is none.</param>
    public bool IsServed(string queue, string? endpoint) =>
        Upstreams().Any(u => u.Queues.Count > 0 ? u.Queues.Contains(queue)
            : u.Endpoint == endpoint || QueueRouter.UpstreamQueue(u.Endpoint) == queue);

    private IEnumerable<(string Endpoint, List<string?> Queues)> Upstreams()
    {
        foreach (var upstream in configuration.GetSection("TaskQueue:Upstreams").GetChildren())
        {
            if (upstream["Endpoint"] is { Length: > 1 } endpoint)
                yield return (endpoint, upstream.GetSection("Queues").GetChildren().Select(q => q.Value).ToList());
        }
    }
}
