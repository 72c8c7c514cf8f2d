using MassTransit;
using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>
/// A task: the instance of <see cref="TaskStateMachine"/>. Only the state machine and the claim
/// statements change it. Times are UTC with microsecond precision.
/// </summary>
public sealed class TaskState : SagaStateMachineInstance, IOwnedInQueue
{
    private List<TaskEvent>? _events;

    /// <summary>Time-ordered id: see <see cref="TaskId"/>.</summary>
    public Guid CorrelationId { get; set; }

    /// <summary>One of <see cref="TaskStates"/>.</summary>
    public int State { get; set; }

    /// <summary>Base name of the queue.</summary>
    public string Queue { get; set; } = "";

    /// <summary>0 online, 1..N offline.</summary>
    public int Tier { get; set; }

    /// <summary>Higher is claimed first.</summary>
    public Priority Priority { get; set; } = Priority.Normal;

    /// <summary>Whether the engine dispatches the task to bus workers; copied from the queue when the task is accepted.</summary>
    public bool Push { get; set; }

    /// <summary>Name of the handler that runs the task; bella's endpoint.</summary>
    public string? Name { get; set; }

    /// <summary>Unique among the waiting and running tasks of its queue; null is none.</summary>
    public string? DedupeKey { get; set; }

    /// <summary>Ordering key: tasks of a queue with the same key run one at a time, earliest first; null is none.</summary>
    public string? OrderingKey { get; set; }

    /// <summary>
    /// Whether the task waits behind the head of its ordering key. A waiting or running task that is not blocked is the head; a key has at
    /// most one. Set by the stores, which see the other tasks of the key.
    /// </summary>
    public bool Blocked { get; set; }

    /// <summary>JSON text as submitted. Not loaded for a transition: no decision depends on it.</summary>
    public string Payload { get; set; } = "";

    /// <summary>JSON object that is passed along with the task, for APIs and tracing. Not loaded for a transition.</summary>
    public string? Headers { get; set; }

    /// <summary>JSON text of the result; set by Completed.</summary>
    public string? Result { get; set; }

    /// <summary>Error of the last failed attempt; cleared by Completed.</summary>
    public string? Error { get; set; }

    /// <summary>Attempts started so far: the fencing token of the running one. Never decreases.</summary>
    public int Attempt { get; set; }

    /// <summary>Attempts left in this run.</summary>
    public int AttemptsLeft { get; set; }

    /// <summary>Attempts of a run; a retry by hand begins a new run.</summary>
    public int MaxAttempts { get; set; }

    /// <summary>JSON of the <see cref="RetryPolicy"/>, or null for the default; copied from the queue when the task is accepted.</summary>
    public string? Retry { get; set; }

    /// <summary>Lease in milliseconds if the claim does not set it; from the task or its queue.</summary>
    public int DefaultLeaseMs { get; set; } = TaskService.DefaultLeaseMs;

    /// <summary>Lease of the running attempt in milliseconds; a heartbeat renews it by this much.</summary>
    public int LeaseMs { get; set; }

    /// <summary>When the lease of the running attempt expires; set only while Running.</summary>
    public DateTime? LeaseUntil { get; set; }

    /// <summary>The worker that runs or ran the last attempt.</summary>
    public string? Worker { get; set; }

    /// <summary>The credential that claimed the running attempt; null without authentication.</summary>
    public string? ClaimedBy { get; set; }

    /// <summary>When the task was accepted.</summary>
    public DateTime CreatedAt { get; set; }

    /// <summary>Earliest start: the scheduled time, or the end of a retry delay.</summary>
    public DateTime DueAt { get; set; }

    /// <summary>Must start before this time; null is never.</summary>
    public DateTime? ExpiresAt { get; set; }

    /// <summary>When the last attempt started.</summary>
    public DateTime? StartedAt { get; set; }

    /// <summary>When the task reached a terminal state.</summary>
    public DateTime? FinishedAt { get; set; }

    /// <summary>Whether the running attempt counts against the concurrency limit of its queue; set by the claim.</summary>
    public bool Limited { get; set; }

    /// <summary>Whether it failed permanently and is a dead letter.</summary>
    public bool Dead { get; set; }

    /// <summary>
    /// From this time the task no longer exists for any caller; its row is removed a little later. Set only in a terminal state.
    /// </summary>
    public DateTime? DeleteAt { get; set; }

    /// <summary>When the scheduler next dispatches a waiting push task: its due time, or later while a dispatch is in progress.</summary>
    public DateTime? DispatchAt { get; set; }

    /// <summary>JSON of the <see cref="CompletionActions"/>; null is none.</summary>
    public string? CompletionActions { get; set; }

    /// <summary>
    /// The batch whose item it is, or null. Such a task is kept until the batch has ended, and cannot be retried by hand.
    /// </summary>
    public Guid? BatchId { get; set; }

    /// <summary>Owner; null is a task that only administrators see.</summary>
    public string? Owner { get; set; }

    /// <summary>Its <see cref="TaskTags"/> as one text; null is none. Not loaded for a transition.</summary>
    public string? Tags { get; set; }

    /// <summary>Number of the schedule that submitted it; null is none. Not loaded for a transition.</summary>
    public int? ScheduleId { get; set; }

    /// <summary>
    /// The id of the server under which lists and searches have it, because its own, which a producer chose, does not say when it was
    /// accepted; null is its own. Not loaded for a transition.
    /// </summary>
    public Guid? ListedAs { get; set; }

    /// <summary>JSON text of the progress last reported by its worker; null is none.</summary>
    public string? Progress { get; set; }

    /// <summary>
    /// Attempts of this run whose lease expired, of a task that waits or runs; a retry by hand starts the count anew. Not read with a
    /// whole task.
    /// </summary>
    internal int Crashes { get; set; }

    /// <summary>Bytes of payload and headers as they are stored, for claims with a limit; not read with a whole task.</summary>
    internal int Octets { get; set; }

    /// <summary>The stored row that a transition starts from; null for a new task. Not stored.</summary>
    internal StoredRow? Row { get; set; }

    /// <summary>Whether it was loaded without its error, which is long: no transition may start from it. Not stored.</summary>
    internal bool IsPartial { get; set; }

    /// <summary>The queue in which its rows are stored, if a command moves it to another; null if it stays. Not stored.</summary>
    internal string? MovedFrom { get; set; }

    /// <summary>Whether a command has changed the payload. Not stored.</summary>
    internal bool IsEdited { get; set; }

    /// <summary>The queue in which its rows are stored.</summary>
    internal string StoredQueue => MovedFrom ?? Queue;

    /// <summary>The current settings of its queue; not stored.</summary>
    internal QueueSettings Settings { get; set; } = QueueSettings.Default;

    /// <summary><see cref="CompletionActions"/> as parsed by <see cref="CompletionActionsJson.Of"/>; immutable. Not stored.</summary>
    internal CompletionActions? CompletionActionsRead { get; set; }

    /// <summary>Events since the row was loaded, written to the outbox in the same transaction.</summary>
    internal IReadOnlyList<TaskEvent> Events => _events ?? [];

    /// <summary>Attempts of the current run, for APIs that count from the last retry by hand.</summary>
    internal int RunAttempt => MaxAttempts - AttemptsLeft;

    /// <summary>The process of the caller that waits for the completion, or null.</summary>
    public string? ReplyTo => CompletionActionsJson.Of(this)?.ReplyTo;

    /// <summary>Whether the task is deleted.</summary>
    internal bool IsDeleted(DateTime now) => DeleteAt <= now;

    /// <summary>A copy for one event to work on, so that an exception in the state machine leaves no changes.</summary>
    internal TaskState Copy()
    {
        var copy = (TaskState)MemberwiseClone();
        copy._events = _events is null ? null : [.. _events];
        return copy;
    }

    /// <summary>A copy with converted events, for a stored form that differs from the one in memory.</summary>
    internal TaskState CopyForStorage(Func<TaskEvent, TaskEvent> convert)
    {
        var copy = (TaskState)MemberwiseClone();
        copy._events = _events is null ? null : [.. _events.Select(convert)];
        return copy;
    }

    /// <summary>Appends an event to the task.</summary>
    internal void Record(TaskEventType type, DateTime at, bool dispatch = false, bool frees = false) =>
        (_events ??= []).Add(EventOf(type, at, dispatch, frees));

    /// <summary>Appends the event of an accepted task.</summary>
    internal void Accept() => (_events ??= []).Add(Submitted());

    /// <summary>The event of an accepted task.</summary>
    internal TaskEvent Submitted() =>
        EventOf(TaskEventType.Submitted, CreatedAt, dispatch: DispatchAt > DueAt, frees: OrderingKey is not null);

    private TaskEvent EventOf(TaskEventType type, DateTime at, bool dispatch, bool frees)
    {
        var silent = Settings.Events switch
        {
            EventPolicy.All => false,
            EventPolicy.Terminal => !TaskEvent.IsTerminal(type),
            _ => true,
        };
        return new TaskEvent
        {
            TaskId = CorrelationId,
            Type = silent && dispatch ? TaskEventType.Dispatched : type, // not published
            Kind = type,
            Ran = type is TaskEventType.Completed or TaskEventType.Failed or TaskEventType.Retrying or TaskEventType.Snoozed
                ? at - StartedAt : null,
            Queue = Queue,
            Tier = Tier,
            Owner = Owner,
            Attempt = Attempt,
            Worker = Attempt == 0 ? null : Worker,
            Error = type is TaskEventType.Failed or TaskEventType.Retrying or TaskEventType.Expired ? Error : null,
            At = at,
            DueAt = State is TaskStates.Pending or TaskStates.Retrying && !Blocked ? DueAt : null,
            Dispatch = dispatch,
            ReleasesCapacity = frees,
            IsWritten = !silent || dispatch,
            Line = BatchId is { } batch && TaskEvent.IsTerminal(type) ? (batch, CompletionActionsJson.LineEnd(type, Result)) : null,
            CallbackDue = type == TaskEventType.Completed && CompletionActionsJson.Of(this)?.CallbackUrl is not null,
        };
    }
}

/// <summary>A row as a transition found it.</summary>
/// <param name="State">Its state.</param>
/// <param name="Version">Changes with every write, where the store needs it to notice other writers.</param>
/// <param name="FinishedAt">When the task ended, if it had.</param>
/// <param name="StartedAt">When its last attempt started.</param>
/// <param name="Error">Its error, as stored.</param>
internal sealed record StoredRow(int State, uint Version, DateTime? FinishedAt, DateTime? StartedAt, string? Error);
