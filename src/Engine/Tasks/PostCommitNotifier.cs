using TaskQueue.Engine.Notifications;

namespace TaskQueue.Engine.Tasks;

/// <summary>Wakes waiting workers and the outbox dispatcher of this process after a commit.</summary>
public sealed class PostCommitNotifier(WorkNotifier workNotifier) : IDisposable
{
    /// <summary>Set after every commit that appended events.</summary>
    public Signal Events { get; } = new();

    /// <summary>Set after the same commits, for the event feed.</summary>
    public Signal Stream { get; } = new();

    /// <summary>Called for every task that has ended.</summary>
    public Action<Guid>? Ended { get; set; }

    /// <summary>Set after every commit with a due callback.</summary>
    public Signal Callbacks { get; } = new();

    /// <summary>Set after every change of a batch and every completion of one of its tasks.</summary>
    public Signal Batches { get; } = new();

    /// <inheritdoc />
    public void Dispose()
    {
        Events.Dispose();
        Stream.Dispose();
        Batches.Dispose();
        Callbacks.Dispose();
    }

    /// <summary>Notifies of committed events.</summary>
    public void Committed(IEnumerable<TaskEvent> events)
    {
        var any = false;
        foreach (var e in events)
        {
            any = true;
            if (e.DueAt is { } due)
                workNotifier.Notify(new(e.Queue, e.Tier), due);
            if (e.ReleasesCapacity)
                workNotifier.NotifyTiers(e.Queue);
            if (e.Line is not null)
                Batches.Set();
            if (e.CallbackDue)
                Callbacks.Set();
            if (TaskEvent.IsTerminal(e.Type))
                Ended?.Invoke(e.TaskId);
        }

        if (any)
            Appended();
    }

    /// <summary>Notifies of events appended by a statement of the store.</summary>
    public void Appended()
    {
        Events.Set();
        Stream.Set();
    }

    /// <summary>Notifies of tasks inserted in bulk, with their events.</summary>
    public void Inserted(IEnumerable<TaskState> tasks)
    {
        foreach (var task in tasks)
        {
            workNotifier.Notify(new(task.Queue, task.Tier), task.DueAt);
            if (task.Events.Any(e =>
                e is { Type: TaskEventType.Overwritten, ReleasesCapacity: true })) // another task may now be the head of its ordering key
                workNotifier.NotifyTiers(task.Queue);
        }

        Appended();
    }
}
