namespace TaskQueue.Engine.Tasks;

/// <summary>Which tasks of a queue a list contains, and in which order.</summary>
public enum TaskList
{
    /// <summary>Waiting and running tasks and dead letters, by id.</summary>
    Live,

    /// <summary>Waiting tasks, of an ordering key only the head, by due time and, where it is the same, by time of acceptance.</summary>
    Waiting,

    /// <summary>Running tasks, by lease expiry.</summary>
    Running,

    /// <summary>Dead letters, oldest first.</summary>
    Dead,
}

/// <summary>A position in a list: after this task.</summary>
/// <param name="At">The time that the list is ordered by; the Unix epoch for <see cref="TaskList.Live"/>.</param>
/// <param name="Id">The task.</param>
/// <param name="AcceptedAt">Of <see cref="TaskList.Waiting"/>: when the task was accepted; null is before all of that time.</param>
public sealed record TaskCursor(DateTime At, Guid Id, DateTime? AcceptedAt = null)
{
    /// <summary>The position of a task in a list.</summary>
    public static TaskCursor Of(TaskList list, TaskState task) =>
        new(list switch
        {
            TaskList.Waiting => task.DueAt,
            TaskList.Running => task.LeaseUntil ?? DateTime.UnixEpoch,
            TaskList.Dead => task.FinishedAt ?? DateTime.UnixEpoch,
            _ => DateTime.UnixEpoch,
        }, task.CorrelationId, list == TaskList.Waiting ? task.CreatedAt : null);
}

/// <summary>A page of a list, bounded by bytes as well as by tasks.</summary>
/// <param name="Tasks">The tasks in list order; tasks that vanished during the read are omitted.</param>
/// <param name="First">Position of the first task, or null if the page is empty.</param>
/// <param name="Last">Position of the last task, after which the next page starts.</param>
/// <param name="HasMore">Whether there are more tasks in the direction of the read.</param>
public sealed record TaskPage(IReadOnlyList<TaskState> Tasks, TaskCursor? First, TaskCursor? Last, bool HasMore);
