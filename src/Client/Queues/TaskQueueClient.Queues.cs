namespace TaskQueue.Client;

/// <summary>Queue operations.</summary>
public sealed partial class TaskQueueClient
{
    /// <summary>Lists the queues that are declared or have tasks, without counts.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<IReadOnlyList<QueueInfo>> QueuesAsync(CancellationToken cancellationToken = default) =>
        (await TryAsync((server, _) =>
            server.SendAsync(HttpMethod.Get, "/queues", null, QueueJson.Default.QueueListAnswer, cancellationToken),
            cancellationToken)).Queues.Select(q => q.ToInfo()).ToList();

    /// <summary>Gets a queue with its counts; null if it is neither declared nor has tasks.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<QueueInfo?> QueueAsync(string queue, CancellationToken cancellationToken = default)
    {
        try
        {
            return (await TryAsync((server, _) =>
                server.SendAsync(HttpMethod.Get, $"/queues/{Uri.EscapeDataString(queue)}", null, QueueJson.Default.QueueAnswer,
                    cancellationToken), cancellationToken)).ToInfo();
        }
        catch (TaskQueueException fault) when (fault.Status == 404)
        {
            return null;
        }
    }

    /// <summary>
    /// Declares a queue, or replaces all its settings. Needs the scope admin. To change one setting of a declared queue, see
    /// <see cref="QueueInfo.Settings"/>.
    /// </summary>
    /// <param name="queue">Base name: letters, digits, <c>-</c> and <c>_</c>, at most 128.</param>
    /// <param name="declaration">The settings.</param>
    /// <param name="cancellationToken">Stops waiting for the response.</param>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<QueueInfo> DeclareQueueAsync(string queue, QueueDeclaration declaration,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(declaration);
        var body = SettingsBody.Of(declaration);
        return (await TryAsync(async (server, _) =>
        {
            using var content = Content(body);
            return await server.SendAsync(HttpMethod.Put, $"/queues/{Uri.EscapeDataString(queue)}", content, QueueJson.Default.QueueAnswer,
                cancellationToken);
        }, cancellationToken)).ToInfo();
    }

    /// <summary>Deletes a queue with its schedules, its waiting and running tasks and its dead letters. Needs the scope admin.</summary>
    /// <exception cref="TaskQueueException">There is no such queue, or the server did not answer.</exception>
    public async Task DeleteQueueAsync(string queue, CancellationToken cancellationToken = default) =>
        await CallAsync(HttpMethod.Delete, $"/queues/{Uri.EscapeDataString(queue)}", null, cancellationToken);

    /// <summary>Pauses a queue: no more tasks are handed out, running tasks continue.</summary>
    /// <exception cref="TaskQueueException">There is no such queue, or the server did not answer.</exception>
    public Task<QueueInfo> PauseAsync(string queue, CancellationToken cancellationToken = default) =>
        SetAsync(queue, "pause", cancellationToken);

    /// <summary>Resumes a paused queue.</summary>
    /// <exception cref="TaskQueueException">There is no such queue, or the server did not answer.</exception>
    public Task<QueueInfo> ResumeAsync(string queue, CancellationToken cancellationToken = default) =>
        SetAsync(queue, "resume", cancellationToken);

    private async Task<QueueInfo> SetAsync(string queue, string verb, CancellationToken cancellationToken) =>
        (await TryAsync((server, _) =>
            server.SendAsync(HttpMethod.Post, $"/queues/{Uri.EscapeDataString(queue)}/{verb}", null, QueueJson.Default.QueueAnswer,
                cancellationToken), cancellationToken)).ToInfo();
}
