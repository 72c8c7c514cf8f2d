using System.Globalization;
using System.Runtime.CompilerServices;

namespace TaskQueue.Client;

/// <summary>Tasks of a queue, and how many should run.</summary>
public sealed partial class TaskQueueClient
{
    /// <summary>Lists tasks of a queue, declared or not, reading page after page while it is enumerated.</summary>
    /// <param name="queue">Base name of the queue.</param>
    /// <param name="list">Which tasks.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async IAsyncEnumerable<FoundTask> QueueTasksAsync(string queue, QueueTaskList list = QueueTaskList.Live,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        for (string? after = ""; after is not null;)
        {
            var path = $"/queues/{Uri.EscapeDataString(queue)}/tasks?list={list.ToString().ToLowerInvariant()}&limit=200"
                + (after.Length == 0 ? "" : $"&after={Uri.EscapeDataString(after)}");
            var page = await TryAsync((server, _) =>
                server.SendAsync(HttpMethod.Get, path, null, QueueTaskJson.Default.QueueTasksAnswer, cancellationToken), cancellationToken);
            foreach (var task in page.Tasks)
                yield return task;
            after = page.Next;
        }
    }

    /// <summary>Gets how many tasks of a queue should run at once now, for autoscalers of your own.</summary>
    /// <param name="queue">Base name of the queue.</param>
    /// <param name="tier">The tier; null is all.</param>
    /// <param name="within">Time within which the due tasks should have run; null is the server's default.</param>
    /// <param name="cancellationToken">Stops waiting for the response.</param>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public Task<QueueScaling> ScalingAsync(string queue, int? tier = null, TimeSpan? within = null,
        CancellationToken cancellationToken = default)
    {
        (string Name, string? Value)[] given =
        [
            ("tier", tier?.ToString(CultureInfo.InvariantCulture)),
            ("within_seconds", within?.TotalSeconds.ToString(CultureInfo.InvariantCulture)),
        ];
        var query = string.Join('&', given.Where(p => p.Value is not null).Select(p => $"{p.Name}={p.Value}"));
        var path = $"/scaling/{Uri.EscapeDataString(queue)}?{query}".TrimEnd('?');
        return TryAsync((server, _) =>
            server.SendAsync(HttpMethod.Get, path, null, QueueTaskJson.Default.QueueScaling, cancellationToken), cancellationToken);
    }
}
