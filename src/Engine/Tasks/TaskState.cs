using MassTransit;
using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>
/// One task: the instance of <see cref="TaskStateMachine"/> and the row of table <c>tasks</c>. Only the machine and the
/// claim statements change it. Times are UTC with microseconds.
/// </summary>
public sealed class TaskState : SagaStateMachineInstance, IOwnedInQueue
{
    private List<TaskEvent>? _events;

    /// <summary>Time-ordered id: see <see cref="TaskId"/>.</summary>
    public Guid CorrelationId { get; set; }

    /// <summary>A number of <see cref="TaskStates"/>.</summary>
    public int State { get; set; }

    /// <summary>Base name of the queue.</summary>
    public string Queue { get; set; } = "";

    /// <summary>0 online, 1..N offline.</summary>
    public int Tier { get; set; }

    /// <summary>Higher is claimed first.</summary>
    public Priority Priority { get; set; } = Priority.Normal;

    /// <summary>Whether the engine dispatches the task to bus workers; taken from the queue when the task is accepted.</summary>
    public bool Push { get; set; }

    /// <summary>Which handler runs the task; bella's endpoint.</summary>
    public string? Name { get; set; }

    /// <summary>While the task waits or runs no other of its queue has the same; null is none.</summary>
    public string? DedupeKey { get; set; }

    /// <summary>Ordering key: tasks of a queue with the same key run one at a time, earliest first; null is none.</summary>
    public string? OrderingKey { get; set; }

    /// <summary>
    /// Waits behind the head of its ordering key. One that waits or runs and is not blocked is the head: there is at most
    /// one a key. Set by the stores, which see the other tasks of the key.
    /// </summary>
    public bool Blocked { get; set; }

    /// <summary>JSON text as submitted. Not loaded for a transition: no decision depends on it.</summary>
    public string Payload { get; set; } = "";

    /// <summary>JSON object that travels with the task, for APIs and tracing. Not loaded for a transition.</summary>
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

    /// <summary>Text of the <see cref="RetryPolicy"/>, or null for the default; taken from the queue when the task is accepted.</summary>
    public string? Retry { get; set; }

    /// <summary>Length of a lease where the claim does not say it; from the task or its queue.</summary>
    public int DefaultLeaseMs { get; set; } = TaskService.DefaultLeaseMs;

    /// <summary>Length of the lease of the running attempt; a heartbeat renews it by this much.</summary>
    public int LeaseMs { get; set; }

    /// <summary>When the running attempt is given up; set only while Running.</summary>
    public DateTime? LeaseUntil { get; set; }

    /// <summary>Who runs or ran the last attempt.</summary>
    public string? Worker { get; set; }

    /// <summary>The credential that claimed the running attempt; null where nobody had to authenticate.</summary>
    public string? ClaimedBy { get; set; }

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

    /// <summary>Whether the running attempt counts against the limit of its queue; set by the claim.</summary>
    public bool Limited { get; set; }

    /// <summary>Failed for good, and a dead letter of its queue.</summary>
    public bool Dead { get; set; }

    /// <summary>From then on the task is gone for everybody; its row goes a little later. Set only in a terminal state.</summary>
    public DateTime? DeleteAt { get; set; }

    /// <summary>When the scheduler dispatches a waiting push task (again): its due time, or later when a dispatch is under way.</summary>
    public DateTime? DispatchAt { get; set; }

    /// <summary>Text of the <see cref="CompletionActions"/>: what else happens when the task ends; null is nothing.</summary>
    public string? Ending { get; set; }

    /// <summary>The batch whose line it is, or null. It is kept until the batch has ended, and not run again by hand.</summary>
    public Guid? BatchId { get; set; }

    /// <summary>Who submitted it, where that was known; null is a task that only administrators see.</summary>
    public string? Owner { get; set; }

    /// <summary>JSON text of what its worker last said of how far it is; null is nothing.</summary>
    public string? Progress { get; set; }

    /// <summary>What its queue's operator decided, as of now; not stored.</summary>
    internal QueueSettings Settings { get; set; } = QueueSettings.Default;

    /// <summary><see cref="Ending"/> as <see cref="CompletionActionsJson.Of"/> has read it: an ending never changes. Not stored.</summary>
    internal CompletionActions? EndingRead { get; set; }

    /// <summary>Steps since the row was loaded, written to table <c>task_events</c> in the same transaction.</summary>
    internal IReadOnlyList<TaskEvent> Events => _events ?? [];

    /// <summary>Attempts of the current run: what APIs show that count them from a restart on.</summary>
    internal int RunAttempt => MaxAttempts - AttemptsLeft;

    /// <summary>The process that holds a caller who waits for the end, or null.</summary>
    public string? ReplyTo => CompletionActionsJson.Of(this)?.ReplyTo;

    /// <summary>Whether the task is gone.</summary>
    internal bool IsDeleted(DateTime now) => DeleteAt <= now;

    /// <summary>A copy for one event to work on, so that a machine that throws leaves nothing behind.</summary>
    internal TaskState Copy()
    {
        var copy = (TaskState)MemberwiseClone();
        copy._events = _events is null ? null : [.. _events];
        return copy;
    }

    /// <summary>A copy with other events, for what is stored in another form than it is used in.</summary>
    internal TaskState CopyForStorage(Func<TaskEvent, TaskEvent> convert)
    {
        var copy = (TaskState)MemberwiseClone();
        copy._events = _events is null ? null : [.. _events.Select(convert)];
        return copy;
    }

    /// <summary>Notes a step in the life of the task.</summary>
    internal void Record(TaskEventType type, DateTime at, bool dispatch = false, bool frees = false)
    {
        var silent = Settings.Events switch
        {
            EventPolicy.All => false,
            EventPolicy.Terminal => !TaskEvent.IsTerminal(type),
            _ => true,
        };
        (_events ??= []).Add(new TaskEvent
        {
            TaskId = CorrelationId,
            Type = silent && dispatch ? TaskEventType.Dispatched : type, // which is not published
            Kind = type,
            Ran = type is TaskEventType.Completed or TaskEventType.Failed or TaskEventType.Retrying or TaskEventType.Snoozed
                ? at - StartedAt : null,
            Queue = Queue,
            Tier = Tier,
            Attempt = Attempt,
            Worker = Attempt == 0 ? null : Worker,
            Error = type is TaskEventType.Failed or TaskEventType.Retrying or TaskEventType.Expired ? Error : null,
            At = at,
            DueAt = State is TaskStates.Pending or TaskStates.Retrying && !Blocked ? DueAt : null,
            Dispatch = dispatch,
            Frees = frees,
            IsWritten = !silent || dispatch,
            Line = BatchId is { } batch && TaskEvent.IsTerminal(type) ? (batch, CompletionActionsJson.LineEnd(type, Result)) : null,
            CallbackDue = type == TaskEventType.Completed && CompletionActionsJson.Of(this)?.CallbackUrl is not null,
        });
    }
}
