namespace TaskQueue.Bus.Dispatch;

/// <summary>Tasks to dispatch to a queue that took nothing, in order. Not thread-safe, except that one caller works on the batch.</summary>
/// <param name="name">Base name of the queue.</param>
/// <param name="since">Timestamp of the refusal.</param>
internal sealed class HeldQueue(string name, long since)
{
    private readonly Queue<Guid> _tasks = [];
    private readonly HashSet<Guid> _known = [];
    private readonly HashSet<Guid> _again = []; // of the batch, dispatched anew while it is being sent
    private List<Guid> _batch = [];

    public string Name => name;

    public long Since => since;

    /// <summary>Why it took nothing.</summary>
    public string Reason { get; init; } = "";

    /// <summary>The tasks, in no order.</summary>
    public IReadOnlyCollection<Guid> Tasks => _known;

    /// <returns>Whether the task was new.</returns>
    public bool Add(Guid task)
    {
        if (!_known.Add(task))
        {
            if (_batch.Contains(task))
                _again.Add(task);
            return false;
        }

        _tasks.Enqueue(task);
        return true;
    }

    /// <summary>The tasks to send next: the same until <see cref="Remove"/>; empty at the end.</summary>
    public IReadOnlyList<Guid> Next()
    {
        while (_batch.Count < TaskSender.MaxTasks && _tasks.TryDequeue(out var task))
            _batch.Add(task);
        return [.. _batch];
    }

    /// <summary>Removes tasks of the batch.</summary>
    /// <returns>How many.</returns>
    public int Remove(Func<Guid, bool> done)
    {
        var (ended, count) = (_batch.FindAll(t => done(t)), 0);
        _batch = _batch.FindAll(t => !ended.Contains(t));
        foreach (var task in ended)
        {
            if (_again.Remove(task))
                _tasks.Enqueue(task);
            else if (_known.Remove(task))
                count++;
        }

        return count;
    }
}
