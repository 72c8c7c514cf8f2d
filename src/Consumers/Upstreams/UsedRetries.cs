using System.Collections.Concurrent;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>
/// Retries that tasks had used when they went back to the queue to wait, so that a wait does not allow them anew. Each process counts its
/// own.
/// </summary>
internal sealed class UsedRetries
{
    private const int MaxTasks = 10_000;

    private readonly ConcurrentDictionary<Guid, int> _retries = new();

    /// <summary>Takes the number of a task.</summary>
    public int Take(Guid task) => _retries.TryRemove(task, out var retries) ? retries : 0;

    /// <summary>Keeps the number of a task until it is claimed again.</summary>
    public void Keep(Guid task, int retries)
    {
        if (retries == 0)
            return;
        if (_retries.Count >= MaxTasks)
            _retries.Clear(); // mostly of tasks that another process ended
        _retries[task] = retries;
    }
}
