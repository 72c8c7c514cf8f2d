using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Why;

/// <summary>A waiting task, and all that decides whether it may run.</summary>
/// <param name="Task">The task.</param>
/// <param name="Settings">The settings of its queue.</param>
/// <param name="Facts">What was read about it.</param>
/// <param name="Now">When.</param>
internal sealed record WaitingView(TaskState Task, QueueSettings Settings, WaitingFacts Facts, DateTime Now)
{
    /// <summary>Those of the tasks before it that the caller may read, by id.</summary>
    public IReadOnlyList<GateHolder> Seen { get; init; } = [];

    /// <summary>Running tasks of its queue that the caller may read.</summary>
    public IReadOnlyList<GateHolder> Running { get; init; } = [];

    /// <summary>What the bus knows about its push queue; null if that was not asked.</summary>
    public PushQueueState? Push { get; init; }

    /// <summary>When the oldest event was committed that the dispatcher has not published; null if there is none.</summary>
    public DateTime? OldestEventAt { get; init; }

    /// <summary>Whether the in-process bus takes no more.</summary>
    public bool IsBusFull { get; init; }

    /// <summary>Whether the caller may see why the broker refuses a queue.</summary>
    public bool ShowsReasons { get; init; }

    /// <summary>Whether the caller may see numbers of tasks, which count those of every tenant.</summary>
    public bool ShowsCounts { get; init; } = true;

    /// <summary>Whether its queue runs as many tasks as it may.</summary>
    public static bool IsFull(TaskState task, QueueSettings settings, WaitingFacts facts) =>
        !task.Push && settings.MaxRunning > 0 && facts.Running >= settings.MaxRunning;

    /// <summary>As what a task was set aside if it is in the quarantine: its row says so, or allows it.</summary>
    public static string? ParkedAs(TaskState task) =>
        task.State == TaskStates.Running ? task.LeaseUntil is null ? QuarantineKinds.Lease : null
        : task.DueAt >= ParkedTimes.Never ? QuarantineKinds.Expiry
        : task.Push && task.DispatchAt is null ? QuarantineKinds.Dispatch : null;

    /// <summary>When a push task was last sent, from the time at which that is repeated: see <see cref="DispatchTask"/>.</summary>
    public static DateTime? SentAt(TaskState task, DateTime now)
    {
        if (task.DispatchAt is not { } again || again <= now)
            return null;
        var sent = again - TaskStateMachine.RedispatchAfter;
        return sent - task.DueAt <= TaskStateMachine.RedispatchAfter ? sent : task.DueAt + ((again - task.DueAt) / 2);
    }
}
