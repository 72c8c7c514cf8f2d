using System.Runtime.CompilerServices;

namespace TaskQueue.Client;

/// <summary>Logs of tasks.</summary>
public sealed partial class TaskQueueClient
{
    /// <summary>Reads what workers logged while they ran a task, oldest first; the server keeps the newest 1,000 lines and 64 kB.</summary>
    /// <param name="id">The task.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    /// <exception cref="TaskQueueException">There is no such task, or the server did not answer.</exception>
    public async IAsyncEnumerable<TaskLogLine> LogsAsync(Guid id, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        for (string? cursor = ""; cursor is not null;)
        {
            var path = $"{Path(id)}/logs?limit=200{(cursor.Length == 0 ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}";
            var page = await TryAsync((server, _) =>
                server.SendAsync(HttpMethod.Get, path, null, TaskLogJson.Default.TaskLogAnswer, cancellationToken), cancellationToken);
            foreach (var line in page.Entries)
                yield return line;
            cursor = page.NextCursor;
        }
    }
}
