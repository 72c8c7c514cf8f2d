using MassTransit;
using TaskQueue.Contracts;

namespace TaskQueue.Engine.Tasks;

/// <summary>
/// One task: the instance of <see cref="TaskStateMachine"/> and the row of table <c>tasks</c>. Only the machine and the
/// claim statements change it. Times are UTC with microseconds.
/// </summary>
public sealed class TaskState : SagaStateMachineInstance
{
    private List<TaskEvent>? _events;

    /// <summary>Time-ordered id: see <see cref="TaskId"/>.</summary>
    public Guid CorrelationId { get; set; }

    /// <summary>A number of <see cref="TaskStates"/>.</summary>
    public int State { get; set; }

    /// <summary>Base name of the queue.</summary>
    public string Queue { get; set; } = "";

    /// <summary>0 online, 1..N offline.</summary>
    public int Level { get; set; }

    /// <summary>Higher is claimed first.</summary>
    public Priority Priority { get; set; } = Priority.Normal;

    /// <summary>Whether the engine dispatches the task to bus workers; taken from the queue when the task is accepted.</summary>
    public bool Push { get; set; }

    /// <summary>Which handler runs the task; bella's endpoint.</summary>
    public string? Name { get; set; }

    /// <summary>JSON text as submitted. Not loaded for a transition: no decision depends on it.</summary>
    public string Payload { get; set; } = "";

    /// <summary>JSON object that travels with the task, for doors and tracing. Not loaded for a transition.</summary>
    public string? Headers { get; set; }

    /// <summary>JSON text of the result; set by Completed.</summary>
    public string? Result { get; set; }

    /// <summary>Error of the last failed attempt; cleared by Completed.</summary>
    public string? Error { get; set; }

    /// <summary>Attempts started so far: the fencing token of the running one. Never goes back.</summary>
    public int Attempt { get; set; }

    /// <summary>Attempts that may still be started in this run.</summary>
    public int AttemptsLeft { get; set; }

    /// <summary>Attempts that a run has; a retry by hand begins a new run.</summary>
    public int MaxAttempts { get; set; }

    /// <summary>Length of the lease of the running attempt; a heartbeat renews it by this much.</summary>
    public int LeaseMs { get; set; }

    /// <summary>When the running attempt is given up; set only while Running.</summary>
    public DateTime? LeaseUntil { get; set; }

    /// <summary>Who runs or ran the last attempt.</summary>
    public string? Worker { get; set; }

    /// <summary>When the task was accepted.</summary>
    public DateTime CreatedAt { get; set; }

    /// <summary>Not runnable earlier: the scheduled time, or the end of a retry's wait.</summary>
    public DateTime DueAt { get; set; }

    /// <summary>Not started at or after this time; null is never.</summary>
    public DateTime? ExpiresAt { get; set; }

    /// <summary>When the last attempt began.</summary>
    public DateTime? StartedAt { get; set; }

    /// <summary>When the task reached a terminal state.</summary>
    public DateTime? FinishedAt { get; set; }

    /// <summary>When the scheduler dispatches a waiting push task (again): its due time, or later when a dispatch is under way.</summary>
    public DateTime? DispatchAt { get; set; }

    /// <summary>Steps since the row was loaded, written to table <c>task_events</c> in the same transaction.</summary>
    internal IReadOnlyList<TaskEvent> Events => _events ?? [];

    /// <summary>A copy for one event to work on, so that a machine that throws leaves nothing behind.</summary>
    internal TaskState Copy()
    {
        var copy = (TaskState)MemberwiseClone();
        copy._events = _events is null ? null : [.. _events];
        return copy;
    }

    /// <summary>Notes a step in the life of the task.</summary>
    internal void Record(TaskEventType type, DateTime at, bool dispatch = false) =>
        (_events ??= []).Add(new TaskEvent
        {
            TaskId = CorrelationId,
            Type = type,
            Queue = Queue,
            Level = Level,
            Attempt = Attempt,
            Worker = Attempt == 0 ? null : Worker,
            Error = type is TaskEventType.Failed or TaskEventType.Retrying ? Error : null,
            At = at,
            DueAt = State is TaskStates.Pending or TaskStates.Retrying ? DueAt : null,
            Dispatch = dispatch,
        });
}
