using System.Runtime.CompilerServices;
using System.Text.Json;
using TaskQueue.Client.Http;

namespace TaskQueue.Client;

/// <summary>What operators do.</summary>
public sealed partial class TaskQueueClient
{
    /// <summary>
    /// What happens to tasks, from now on or from <see cref="LiveEventQuery.After"/>, until <paramref name="cancellationToken"/>. A
    /// connection that is lost is made again and goes on behind the last event, so none is missed or repeated while the
    /// server keeps them. The first connection must succeed.
    /// </summary>
    /// <exception cref="TaskQueueException">The server refused, or could not be reached at first.</exception>
    public async IAsyncEnumerable<LiveEvent> EventsAsync(LiveEventQuery? query = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await using var feed = new EventFeed(_clients, query ?? new LiveEventQuery());
        while (true)
            yield return await feed.NextAsync(cancellationToken);
    }

    /// <summary>Runs all dead letters of a queue again.</summary>
    /// <exception cref="TaskQueueException">There is no such queue, or the server did not answer.</exception>
    public async Task<RedriveResult> RedriveAsync(string queue, CancellationToken cancellationToken = default) =>
        await _clients.Connect().SendAsync(HttpMethod.Post, $"/queues/{Uri.EscapeDataString(queue)}/redrive", null, OperationsJson.Default.RedriveResult, cancellationToken);

    /// <summary>Deletes what waits, runs or is a dead letter of a queue; the queue stays.</summary>
    /// <exception cref="TaskQueueException">There is no such queue, or the server did not answer.</exception>
    public async Task PurgeAsync(string queue, CancellationToken cancellationToken = default) =>
        await CallAsync(HttpMethod.Post, $"/queues/{Uri.EscapeDataString(queue)}/purge", null, cancellationToken);

    /// <summary>Calls a route that has no method here. The request is sent once.</summary>
    /// <param name="method">Its method.</param>
    /// <param name="path">Its path and query, such as <c>/queues/mails/tasks?list=dead</c>.</param>
    /// <param name="body">Its JSON body; null sends none.</param>
    /// <param name="cancellationToken">Stops waiting for the answer.</param>
    /// <returns>The server's JSON; null where the answer has no body.</returns>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<JsonElement?> CallAsync(HttpMethod method, string path, JsonElement? body = null, CancellationToken cancellationToken = default) =>
        await _clients.Connect().CallAsync(method, path, body, cancellationToken);
}
