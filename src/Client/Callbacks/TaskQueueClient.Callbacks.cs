using System.Runtime.CompilerServices;
using TaskQueue.Client.Http;

namespace TaskQueue.Client;

/// <summary>Callbacks of tasks and batches.</summary>
public sealed partial class TaskQueueClient
{
    /// <summary>Lists callbacks of all tasks and batches, newest first.</summary>
    /// <param name="query">Which callbacks; null is all.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async IAsyncEnumerable<CallbackInfo> CallbacksAsync(CallbackQuery? query = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var filter = string.Concat(new[] { ("queue", query?.Queue), ("state", query?.State) }
            .Select(f => f.Item2 is null ? "" : $"&{f.Item1}={Uri.EscapeDataString(f.Item2)}"));
        for (string? cursor = ""; cursor is not null;)
        {
            var path = $"/callbacks?limit=200{filter}{(cursor.Length == 0 ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}";
            var page = await TryAsync((server, _) => server.SendAsync(
                HttpMethod.Get, path, null, CallbackJson.Default.CallbackListAnswer, cancellationToken), cancellationToken);
            foreach (var callback in page.Callbacks)
                yield return callback;
            cursor = page.NextCursor;
        }
    }

    /// <summary>Lists the callbacks of a task or a batch, oldest first.</summary>
    /// <exception cref="TaskQueueException">There is no such task (404), or the server did not answer.</exception>
    public async Task<IReadOnlyList<CallbackInfo>> TaskCallbacksAsync(Guid taskId, CancellationToken cancellationToken = default)
    {
        var answer = await TryAsync((server, _) => server.SendAsync(HttpMethod.Get, $"/tasks/{taskId}/callbacks", null,
            CallbackJson.Default.CallbackListAnswer, cancellationToken), cancellationToken);
        return [.. answer.Callbacks.Select(c => c with { TaskId = taskId })];
    }

    /// <summary>Sends a callback again that was delivered or has failed: one more try. Sent once.</summary>
    /// <exception cref="TaskQueueException">There is no such callback (404), it waits for its next try (409), or the server did not
    /// answer.</exception>
    public async Task<CallbackInfo> ResendCallbackAsync(Guid taskId, string callbackId, CancellationToken cancellationToken = default) =>
        await _clients.Connect().SendAsync(HttpMethod.Post, $"/tasks/{taskId}/callbacks/{Uri.EscapeDataString(callbackId)}/resend", null,
            CallbackJson.Default.CallbackInfo, cancellationToken) with { TaskId = taskId };
}
