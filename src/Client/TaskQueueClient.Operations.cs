using System.Runtime.CompilerServices;
using System.Text.Json;
using TaskQueue.Client.Http;

namespace TaskQueue.Client;

/// <summary>What operators do.</summary>
public sealed partial class TaskQueueClient
{
    /// <summary>
    /// What happens to tasks, from now on or from <see cref="LiveEventQuery.After"/>, until <paramref name="cancel"/>. A
    /// connection that is lost is made again and goes on behind the last event, so none is missed or repeated while the
    /// server keeps them. The first connection must succeed.
    /// </summary>
    /// <exception cref="TaskQueueException">The server refused, or could not be reached at first.</exception>
    public async IAsyncEnumerable<LiveEvent> EventsAsync(LiveEventQuery? query = null, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await using var feed = new EventFeed(_clients, query ?? new LiveEventQuery());
        while (true)
            yield return await feed.NextAsync(cancel);
    }

    /// <summary>Runs all dead letters of a queue again.</summary>
    /// <exception cref="TaskQueueException">There is no such queue, or the server did not answer.</exception>
    public async Task<Redriven> RedriveAsync(string queue, CancellationToken cancel = default) =>
        await _clients.Connect().SendAsync(HttpMethod.Post, $"/queues/{Uri.EscapeDataString(queue)}/redrive", null, OperationsJson.Default.Redriven, cancel);

    /// <summary>Deletes what waits, runs or is a dead letter of a queue; the queue stays.</summary>
    /// <exception cref="TaskQueueException">There is no such queue, or the server did not answer.</exception>
    public async Task PurgeAsync(string queue, CancellationToken cancel = default) =>
        await CallAsync(HttpMethod.Post, $"/queues/{Uri.EscapeDataString(queue)}/purge", null, cancel);

    /// <summary>Calls a route that has no method here. The request is sent once.</summary>
    /// <param name="method">Its method.</param>
    /// <param name="path">Its path and query, such as <c>/queues/mails/tasks?list=dead</c>.</param>
    /// <param name="body">Its JSON body; null sends none.</param>
    /// <param name="cancel">Stops waiting for the answer.</param>
    /// <returns>The server's JSON; null where the answer has no body.</returns>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<JsonElement?> CallAsync(HttpMethod method, string path, JsonElement? body = null, CancellationToken cancel = default) =>
        await _clients.Connect().CallAsync(method, path, body, cancel);
}
