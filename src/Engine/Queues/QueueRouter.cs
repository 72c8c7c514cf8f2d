using Microsoft.Extensions.Options;

namespace TaskQueue.Engine.Queues;

/// <summary>Section <c>TaskQueue:Routing</c>: queues of tasks whose submitter names a model instead of a queue.</summary>
public sealed class RoutingOptions
{
    /// <summary>Queue of each model that does not use a queue of its own name.</summary>
    public IDictionary<string, string> Models { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Queue of all other models.</summary>
    /// <value>Null: the queue of the upstream that serves the endpoint, if there is one.</value>
    public string? DefaultQueue { get; set; }
}

/// <summary>Routes tasks that name no queue (bella.md 12).</summary>
public sealed class QueueRouter(QueueCatalog queues, IOptionsMonitor<RoutingOptions> options)
{
    /// <summary>
    /// The queue for a model's requests to an endpoint: the one configured for the model, else the one named like the model, else the
    /// default, else that of the endpoint's upstream. Null if none of these is registered.
    /// </summary>
    public async Task<QueueRecord?> FindAsync(string endpoint, string? model)
    {
        var routing = options.CurrentValue;
        string?[] names = [model is null ? null : routing.Models.TryGetValue(model, out var mapped) ? mapped
            : model, routing.DefaultQueue, UpstreamQueue(endpoint)];
        foreach (var name in names)
        {
            if (name is not null && QueueNames.IsValid(name) && await queues.LookUpAsync(name) is { Delivery: Delivery.Pull } queue)
                return queue;
        }

        return null;
    }

    /// <summary>
    /// Name of the queue that feeds the upstream of an endpoint: <c>/v1/chat/completions</c> is <c>v1-chat-completions</c>.
    /// </summary>
    public static string UpstreamQueue(string endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        var name = new string([.. endpoint.Trim('/').Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' ? c : '-')]);
        return name.Length == 0 ? "upstream" : name[..Math.Min(64, name.Length)];
    }
}
