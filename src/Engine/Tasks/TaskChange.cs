using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>What a command changes of a task beside its state: its payload, its queue, or both. For one command only.</summary>
public sealed class TaskChange
{
    /// <summary>
    /// Computes the new payload from the current one, or returns null for one that was changed like this before; null leaves it as it is.
    /// </summary>
    /// <remarks>An <see cref="InvalidTaskChangeException"/> refuses the command.</remarks>
    public Func<string, string?>? Payload { get; init; }

    /// <summary>About the characters of the payload, by which groups of commands are bounded.</summary>
    public int Chars { get; init; }

    /// <summary>The queue to which the task moves; null leaves it where it is.</summary>
    public TargetQueue? Target { get; init; }

    /// <summary>The queue in which it must be; null is any.</summary>
    public string? From { get; init; }

    /// <summary>Why the change is refused; null if it is not, or only because of the state of the task.</summary>
    public string? Problem { get; private set; }

    /// <summary>The new payload, once it is computed.</summary>
    internal string? NewPayload { get; private set; }

    /// <summary>Whether the task was found as the change would make it, so that nothing is left to do.</summary>
    internal bool IsMade { get; private set; }

    /// <summary>Whether a task can be changed like this; computes the payload.</summary>
    internal bool CanApply(TaskState task)
    {
        (Problem, NewPayload, IsMade) = (null, null, false); // of a run that was rolled back
        if (From is not null && task.Queue != From)
        {
            IsMade = Payload is null && task.Queue == Target?.Name;
            return false;
        }

        if (task.BatchId is not null)
            Problem = "it is an item of a batch, which stays as it was submitted";
        else if (Target is { Delivery: Delivery.Push, Name: var name } && task.OrderingKey is not null)
            Problem = $"it has an ordering key, which needs a pull queue, and {name} is a push queue";
        else if (Payload is null)
            return Target is not null && Target.Name != task.Queue;
        else
            Compute(task);
        return Problem is null && !IsMade;
    }

    /// <summary>Whether a task that cannot be changed now is as the change would make it.</summary>
    internal bool IsMadeOf(TaskState task)
    {
        CanApply(task);
        Problem = null; // its state is the reason
        return IsMade;
    }

    private void Compute(TaskState task)
    {
        try
        {
            NewPayload = Payload!(task.Payload);
            IsMade = NewPayload is null && (Target is null || Target.Name == task.Queue);
        }
        catch (InvalidTaskChangeException refused)
        {
            Problem = refused.Message;
        }
    }
}

/// <summary>A queue to which tasks move.</summary>
/// <param name="Name">Base name.</param>
/// <param name="Delivery">How its tasks reach workers.</param>
/// <param name="Settings">Its current settings.</param>
public sealed record TargetQueue(string Name, Delivery Delivery, QueueSettings Settings)
{
    /// <summary>A declared queue, or one that is used without a declaration.</summary>
    public static TargetQueue Of(string name, QueueRecord? declared) =>
        new(name, declared?.Delivery ?? Delivery.Pull, declared?.Settings ?? QueueSettings.Default);
}

/// <summary>A payload cannot be changed; the message says why, without the payload.</summary>
public sealed class InvalidTaskChangeException(string message) : Exception(message);
