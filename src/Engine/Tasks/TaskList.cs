namespace TaskQueue.Engine.Tasks;

/// <summary>Which tasks of a queue a list shows, and in which order.</summary>
public enum TaskList
{
    /// <summary>Those that wait, run or are dead letters, by id.</summary>
    Live,

    /// <summary>Those that wait, of an ordering key only the head, by due time.</summary>
    Waiting,

    /// <summary>Those that run, by the end of their lease.</summary>
    Running,

    /// <summary>The dead letters, the oldest death first.</summary>
    Dead,
}

/// <summary>A place in a list: behind this task.</summary>
/// <param name="At">The time that the list goes by; the Unix epoch for <see cref="TaskList.Live"/>.</param>
/// <param name="Id">The task.</param>
public sealed record TaskCursor(DateTime At, Guid Id)
{
    /// <summary>The place of a task in a list.</summary>
    public static TaskCursor Of(TaskList list, TaskState task) =>
        new(list switch
        {
            TaskList.Waiting => task.DueAt,
            TaskList.Running => task.LeaseUntil ?? DateTime.UnixEpoch,
            TaskList.Dead => task.FinishedAt ?? DateTime.UnixEpoch,
            _ => DateTime.UnixEpoch,
        }, task.CorrelationId);
}

/// <summary>A page of a list, which ends at a number of bytes as well as of tasks.</summary>
/// <param name="Tasks">The tasks, in the order of the list; a task that vanished meanwhile is missing.</param>
/// <param name="First">The place of the first, or null where there is none.</param>
/// <param name="Last">The place of the last; the next page is behind it.</param>
/// <param name="HasMore">Whether there are more in the direction of the read.</param>
public sealed record TaskPage(IReadOnlyList<TaskState> Tasks, TaskCursor? First, TaskCursor? Last, bool HasMore);
