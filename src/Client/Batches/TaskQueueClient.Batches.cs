using System.Runtime.CompilerServices;
using TaskQueue.Client.Http;

namespace TaskQueue.Client;

/// <summary>Batches, whichever API created them.</summary>
public sealed partial class TaskQueueClient
{
    /// <summary>Lists batches, newest first.</summary>
    /// <param name="queue">Only batches of this queue; null is all.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async IAsyncEnumerable<BatchInfo> BatchesAsync(string? queue = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var filter = queue is null ? "" : $"&queue={Uri.EscapeDataString(queue)}";
        for (string? cursor = ""; cursor is not null;)
        {
            var path = $"/batches?limit=200{filter}{(cursor.Length == 0 ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}";
            var page = await TryAsync((server, _) =>
                server.SendAsync(HttpMethod.Get, path, null, BatchJson.Default.BatchListAnswer, cancellationToken), cancellationToken);
            foreach (var batch in page.Batches)
                yield return batch;
            cursor = page.NextCursor;
        }
    }

    /// <summary>Gets a batch with live counts; null if it does not exist for this key.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<BatchInfo?> GetBatchAsync(string id, CancellationToken cancellationToken = default)
    {
        try
        {
            return await TryAsync((server, _) => server.SendAsync(
                HttpMethod.Get, $"/batches/{Uri.EscapeDataString(id)}", null, BatchJson.Default.BatchInfo, cancellationToken),
                cancellationToken);
        }
        catch (TaskQueueException fault) when (fault.Status == 404)
        {
            return null;
        }
    }

    /// <summary>Cancels a batch; running tasks may finish within a grace period. Sent once.</summary>
    /// <exception cref="TaskQueueException">There is no such batch (404), it has ended (409), or the server did not answer.</exception>
    public async Task<BatchInfo> CancelBatchAsync(string id, CancellationToken cancellationToken = default) =>
        await _clients.Connect().SendAsync(HttpMethod.Post, $"/batches/{Uri.EscapeDataString(id)}/cancel", null,
            BatchJson.Default.BatchInfo, cancellationToken);

    /// <summary>Creates a batch of the failed items of one that has ended. Sent once.</summary>
    /// <exception cref="TaskQueueException">There is no such batch (404), it has not ended or has no failed items (409), or the server did
    /// not answer.</exception>
    public async Task<BatchInfo> RetryFailedBatchAsync(string id, CancellationToken cancellationToken = default) =>
        await _clients.Connect().SendAsync(HttpMethod.Post, $"/batches/{Uri.EscapeDataString(id)}/retry-failed", null,
            BatchJson.Default.BatchInfo, cancellationToken);
}
