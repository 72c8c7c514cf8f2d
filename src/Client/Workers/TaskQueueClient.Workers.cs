namespace TaskQueue.Client;

/// <summary>Operations on workers.</summary>
public sealed partial class TaskQueueClient
{
    private const int WorkerPageSize = 200;

    /// <summary>Lists the workers of the caller's tenant, the latest started first; an administrator of all tenants gets all.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<IReadOnlyList<WorkerInfo>> WorkersAsync(CancellationToken cancellationToken = default)
    {
        var workers = new List<WorkerInfo>();
        string? cursor = null;
        do
        {
            var path = $"/workers?limit={WorkerPageSize}{(cursor is null ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}";
            var page = await TryAsync((server, _) =>
                server.SendAsync(HttpMethod.Get, path, null, WorkerListJson.Default.WorkerPage, cancellationToken), cancellationToken);
            workers.AddRange(page.Workers);
            cursor = page.NextCursor;
        }
        while (cursor is not null);
        return workers;
    }

    /// <summary>Asks a worker to finish its tasks and claim no more; it is told with the next answer that it gets.</summary>
    /// <param name="id"><see cref="WorkerInfo.Id"/>.</param>
    /// <param name="cancellationToken">Stops waiting for the response.</param>
    /// <exception cref="TaskQueueException">There is no such worker, it is not active, or the server did not answer.</exception>
    public async Task DrainWorkerAsync(string id, CancellationToken cancellationToken = default) =>
        await CallAsync(HttpMethod.Post, $"/workers/{Uri.EscapeDataString(id)}/drain", null, cancellationToken);

    /// <summary>Removes a lost, stopped or draining worker from the list.</summary>
    /// <param name="id"><see cref="WorkerInfo.Id"/>.</param>
    /// <param name="cancellationToken">Stops waiting for the response.</param>
    /// <exception cref="TaskQueueException">There is no such worker, it is active, or the server did not answer.</exception>
    public async Task ForgetWorkerAsync(string id, CancellationToken cancellationToken = default) =>
        await CallAsync(HttpMethod.Delete, $"/workers/{Uri.EscapeDataString(id)}", null, cancellationToken);
}
