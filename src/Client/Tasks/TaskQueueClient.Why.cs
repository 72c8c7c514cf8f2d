namespace TaskQueue.Client;

/// <summary>Why tasks do not run.</summary>
public sealed partial class TaskQueueClient
{
    /// <summary>Tells why a task does not run: what it waits for, and when that ends.</summary>
    /// <param name="id">The task.</param>
    /// <param name="cancellationToken">Stops waiting for the response.</param>
    /// <exception cref="TaskQueueException">There is no such task, or the server did not answer.</exception>
    public Task<TaskWhy> WhyAsync(Guid id, CancellationToken cancellationToken = default) =>
        TryAsync((server, _) =>
            server.SendAsync(HttpMethod.Get, $"{Path(id)}/why", null, TaskWhyJson.Default.TaskWhy, cancellationToken), cancellationToken);
}
