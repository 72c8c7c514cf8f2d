using MassTransit;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Logs;

namespace TaskQueue.Engine.Tasks;

/// <summary>Result of a command for one task.</summary>
public enum CommandResult
{
    /// <summary>The task does not exist.</summary>
    NotFound,

    /// <summary>The state machine applied it.</summary>
    Applied,

    /// <summary>It was applied before; nothing changed.</summary>
    Duplicate,

    /// <summary>The attempt is not the running one: it lost its lease.</summary>
    StaleAttempt,

    /// <summary>The task has ended, but not by this attempt.</summary>
    Finished,

    /// <summary>The state of the task does not permit it.</summary>
    NotAllowed,

    /// <summary>Another waiting or running task holds the dedupe key.</summary>
    KeyTaken,

    /// <summary>The id of a new task is taken by another tenant or by a deleted task.</summary>
    IdConflict,
}

/// <summary>
/// An event of the task state machine. <see cref="CommandResult"/> is set when <see cref="ITaskCommitter"/> returns, which is after the
/// commit.
/// </summary>
/// <param name="taskId">The task.</param>
/// <param name="at">Time of the event; the state machine uses no other clock.</param>
public abstract class TaskCommand(Guid taskId, DateTime at) : CorrelatedBy<Guid>
{
    /// <inheritdoc />
    public Guid CorrelationId { get; } = taskId;

    /// <summary>Time of the event, UTC.</summary>
    public DateTime At { get; } = at;

    /// <summary>Access of the sender: for a task outside of it the result is NotFound.</summary>
    public Access Access { get; internal set; } = Access.All;

    /// <summary>Set by the state machine.</summary>
    public CommandResult CommandResult { get; set; } = CommandResult.NotFound;

    /// <summary>Characters of its texts that may be large.</summary>
    internal virtual int Chars => 0;

    /// <summary>What it changes of a task beside its state; null is nothing.</summary>
    internal virtual TaskChange? Change => null;

    /// <summary>The worker of the task before the command; set by the committer.</summary>
    internal string? Holder { get; set; }

    /// <summary>The credential of that worker.</summary>
    internal string? HolderCredential { get; set; }

    /// <summary>The queue of the task; set with it.</summary>
    internal string? Queue { get; set; }
}

/// <summary>Accepts a task.</summary>
public sealed class SubmitTask(TaskState task) : TaskCommand(task.CorrelationId, task.CreatedAt)
{
    /// <summary>The row to insert.</summary>
    public TaskState Task { get; } = task;

    internal override int Chars => Task.Payload.Length + (Task.Headers?.Length ?? 0);
}

/// <summary>A worker begins an attempt that was dispatched to it.</summary>
public sealed class StartTask(Guid taskId, DateTime at, int attempt, string worker, int? leaseMs) : TaskCommand(taskId, at)
{
    /// <summary>Must be the next attempt.</summary>
    public int Attempt { get; } = attempt;

    /// <summary>The worker that runs it.</summary>
    public string Worker { get; } = worker;

    /// <summary>Lease in milliseconds; null is the task's default.</summary>
    public int? LeaseMs { get; } = leaseMs;
}

/// <summary>A report on the running attempt, fenced by its number.</summary>
public abstract class AttemptCommand(Guid taskId, DateTime at, int attempt, string? worker) : TaskCommand(taskId, at)
{
    /// <summary>Must be the running attempt.</summary>
    public int Attempt { get; } = attempt;

    /// <summary>
    /// If given, must be the worker that started the attempt. A dispatch that the broker delivers twice gives two bus workers the same
    /// attempt; a claim never does, so pull workers may omit it.
    /// </summary>
    public string? Worker { get; } = worker;

    /// <summary>Lines that the worker logged, within the limits of <see cref="TaskLogRules"/>; null is none.</summary>
    public IReadOnlyList<TaskLogLine>? Logs { get; set; }
}

/// <summary>The running attempt continues.</summary>
public sealed class RenewLease(Guid taskId, DateTime at, int attempt, string? worker, int? leaseMs = null, string? progress = null)
    : AttemptCommand(taskId, at, attempt, worker)
{
    /// <summary>New lease in milliseconds, or null to keep it.</summary>
    public int? LeaseMs { get; } = leaseMs;

    /// <summary>JSON text of the progress, or null to keep the previous one.</summary>
    public string? Progress { get; } = progress;

    internal override int Chars => Progress?.Length ?? 0;
}

/// <summary>The running attempt succeeded.</summary>
public sealed class CompleteTask(Guid taskId, DateTime at, int attempt, string? worker, string? result)
    : AttemptCommand(taskId, at, attempt, worker)
{
    /// <summary>JSON text.</summary>
    public string? Result { get; } = result;

    internal override int Chars => Result?.Length ?? 0;
}

/// <summary>The running attempt failed.</summary>
public sealed class FailTask(Guid taskId, DateTime at, int attempt, string? worker, string error, bool retryable)
    : AttemptCommand(taskId, at, attempt, worker)
{
    /// <summary>The error.</summary>
    public string Error { get; } = error;

    /// <summary>Type of the error, such as the name of an exception's class; null is unknown.</summary>
    public string? ErrorType { get; set; }

    /// <summary>Where the error came from; null is unknown. Kept with samples of a group of failures only.</summary>
    public string? Stack { get; set; }

    internal override int Chars => Error.Length;

    /// <summary>Whether another attempt may succeed.</summary>
    public bool Retryable { get; } = retryable;

    /// <summary>How long the next attempt must wait, if there is one; null is as the retry policy of the task says.</summary>
    public TimeSpan? RetryAfter { get; set; }
}

/// <summary>The worker of the running attempt snoozes the task.</summary>
public sealed class SnoozeTask(Guid taskId, DateTime at, int attempt, string? worker, TimeSpan wait)
    : AttemptCommand(taskId, at, attempt, worker)
{
    /// <summary>How long the task must not run.</summary>
    public TimeSpan Wait { get; } = wait;
}

/// <summary>The scheduler found an expired lease.</summary>
public sealed class ExpireLease(Guid taskId, DateTime at) : TaskCommand(taskId, at);

/// <summary>The scheduler found a waiting push task due for dispatch.</summary>
public sealed class DispatchTask(Guid taskId, DateTime at) : TaskCommand(taskId, at);

/// <summary>The scheduler found a waiting task past its expiry.</summary>
public sealed class ExpireTask(Guid taskId, DateTime at) : TaskCommand(taskId, at);

/// <summary>Cancels the task.</summary>
public sealed class CancelTask(Guid taskId, DateTime at) : TaskCommand(taskId, at)
{
    /// <summary>Whether a running task is left alone.</summary>
    public bool OnlyWaiting { get; init; }
}

/// <summary>Deletes the task, whatever its state.</summary>
public sealed class DeleteTask(Guid taskId, DateTime at) : TaskCommand(taskId, at)
{
    /// <summary>Whether a task that waits or runs is left alone.</summary>
    public bool OnlyEnded { get; init; }
}

/// <summary>Changes the payload of a waiting task, or moves it to another queue.</summary>
public sealed class ChangeTask(Guid taskId, DateTime at, TaskChange change) : TaskCommand(taskId, at)
{
    internal override TaskChange? Change { get; } = change;

    /// <summary>Whether the task is cancelled once it is changed: both happen, or neither.</summary>
    public bool Ends { get; init; }

    internal override int Chars => Change!.Chars;
}

/// <summary>Retries a Failed or Cancelled task.</summary>
public sealed class RetryTask(Guid taskId, DateTime at, DateTime? dueAt = null, DateTime? expiresAt = null) : TaskCommand(taskId, at)
{
    /// <summary>Earliest start; null is immediately.</summary>
    public DateTime? DueAt { get; } = dueAt;

    /// <summary>Must start before this time; null is the default of the queue.</summary>
    public DateTime? ExpiresAt { get; } = expiresAt;

    /// <summary>
    /// Whether a cancellation is taken back: only of a cancelled task, which keeps its due time and its expiry unless they have passed.
    /// </summary>
    public bool Restores { get; init; }

    /// <summary>What is changed of the task before it waits; only a failed one can be changed.</summary>
    public TaskChange? With { get; init; }

    internal override TaskChange? Change => With;

    internal override int Chars => With?.Chars ?? 0;
}
