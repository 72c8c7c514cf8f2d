using System.Runtime.CompilerServices;
using System.Text.Json;
using TaskQueue.Client.Http;

namespace TaskQueue.Client;

/// <summary>Operations for operators.</summary>
public sealed partial class TaskQueueClient
{
    /// <summary>
    /// Streams task events from now, or from <see cref="LiveEventQuery.After"/>, until <paramref name="cancellationToken"/> is
    /// cancelled. A lost connection is reopened and resumes after the last event, so no event is missed or repeated while the
    /// server retains it. The first connection must succeed.
    /// </summary>
    /// <exception cref="TaskQueueException">The server refused, or the first connection failed.</exception>
    public async IAsyncEnumerable<LiveEvent> EventsAsync(LiveEventQuery? query = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await using var feed = new EventFeed(_clients, query ?? new LiveEventQuery());
        while (true)
            yield return await feed.NextAsync(cancellationToken);
    }

    /// <summary>Requeues all dead letters of a queue.</summary>
    /// <exception cref="TaskQueueException">There is no such queue, or the server did not answer.</exception>
    public async Task<RedriveResult> RedriveAsync(string queue, CancellationToken cancellationToken = default) =>
        await _clients.Connect()
            .SendAsync(HttpMethod.Post, $"/queues/{Uri.EscapeDataString(queue)}/redrive", null, OperationsJson.Default.RedriveResult,
                cancellationToken);

    /// <summary>Deletes the waiting and running tasks and the dead letters of a queue; the queue itself stays.</summary>
    /// <exception cref="TaskQueueException">There is no such queue, or the server did not answer.</exception>
    public async Task PurgeAsync(string queue, CancellationToken cancellationToken = default) =>
        await CallAsync(HttpMethod.Post, $"/queues/{Uri.EscapeDataString(queue)}/purge", null, cancellationToken);

    /// <summary>Calls a route that this client has no method for. The request is sent once, without retries.</summary>
    /// <param name="method">HTTP method.</param>
    /// <param name="path">Path and query, such as <c>/queues/mails/tasks?list=dead</c>.</param>
    /// <param name="body">JSON body; null sends none.</param>
    /// <param name="cancellationToken">Stops waiting for the response.</param>
    /// <returns>The server's JSON; null if the response has no body.</returns>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<JsonElement?> CallAsync(HttpMethod method, string path, JsonElement? body = null,
        CancellationToken cancellationToken = default) =>
        await _clients.Connect().CallAsync(method, path, body, cancellationToken);
}
