namespace TaskQueue.Client;

/// <summary>Queues.</summary>
public sealed partial class TaskQueueClient
{
    /// <summary>The queues that are declared or have tasks, without their counts.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<IReadOnlyList<QueueInfo>> QueuesAsync(CancellationToken cancellationToken = default) =>
        (await TryAsync((server, _) => server.SendAsync(HttpMethod.Get, "/queues", null, QueueJson.Default.QueueListAnswer, cancellationToken), cancellationToken)).Queues;

    /// <summary>A queue with its counts; null where there is none, neither declared nor with tasks.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<QueueInfo?> QueueAsync(string queue, CancellationToken cancellationToken = default)
    {
        try
        {
            return await TryAsync((server, _) => server.SendAsync(HttpMethod.Get, $"/queues/{Uri.EscapeDataString(queue)}", null, QueueJson.Default.QueueInfo, cancellationToken), cancellationToken);
        }
        catch (TaskQueueException fault) when (fault.Status == 404)
        {
            return null;
        }
    }

    /// <summary>Hands out nothing more of a queue; running tasks go on.</summary>
    /// <exception cref="TaskQueueException">There is no such queue, or the server did not answer.</exception>
    public Task<QueueInfo> PauseAsync(string queue, CancellationToken cancellationToken = default) => SetAsync(queue, "pause", cancellationToken);

    /// <summary>Hands out tasks of a queue again.</summary>
    /// <exception cref="TaskQueueException">There is no such queue, or the server did not answer.</exception>
    public Task<QueueInfo> ResumeAsync(string queue, CancellationToken cancellationToken = default) => SetAsync(queue, "resume", cancellationToken);

    private Task<QueueInfo> SetAsync(string queue, string verb, CancellationToken cancellationToken) =>
        TryAsync((server, _) => server.SendAsync(HttpMethod.Post, $"/queues/{Uri.EscapeDataString(queue)}/{verb}", null, QueueJson.Default.QueueInfo, cancellationToken), cancellationToken);
}
