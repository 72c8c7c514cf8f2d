using MassTransit;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Tasks;

/// <summary>What became of a command for one task.</summary>
public enum CommandResult
{
    /// <summary>No such task.</summary>
    NotFound,

    /// <summary>The machine did it.</summary>
    Applied,

    /// <summary>It had been done before; nothing changed.</summary>
    Duplicate,

    /// <summary>The attempt is not the running one: its lease was lost.</summary>
    StaleAttempt,

    /// <summary>The task has ended, and not by this attempt.</summary>
    Finished,

    /// <summary>The state of the task does not allow it.</summary>
    NotAllowed,

    /// <summary>Another task that waits or runs has its dedupe key.</summary>
    KeyTaken,

    /// <summary>The id of a new task is another tenant's, or that of a deleted task.</summary>
    IdConflict,
}

/// <summary>
/// An event of the machine. It goes through the in-process mediator, so the sender reads <see cref="CommandResult"/> when the
/// send returns, which is after the commit.
/// </summary>
/// <param name="taskId">The task.</param>
/// <param name="at">The time of the event: the machine knows no other clock.</param>
public abstract class TaskCommand(Guid taskId, DateTime at) : CorrelatedBy<Guid>
{
    /// <inheritdoc />
    public Guid CorrelationId { get; } = taskId;

    /// <summary>The time of the event, UTC.</summary>
    public DateTime At { get; } = at;

    /// <summary>What the sender may touch: of any other task the result is NotFound.</summary>
    public Access Access { get; internal set; } = Access.All;

    /// <summary>Set by the machine.</summary>
    public CommandResult CommandResult { get; set; } = CommandResult.NotFound;
}

/// <summary>Accept a task.</summary>
public sealed class SubmitTask(TaskState task) : TaskCommand(task.CorrelationId, task.CreatedAt)
{
    /// <summary>The row to insert.</summary>
    public TaskState Task { get; } = task;
}

/// <summary>A worker begins an attempt that was dispatched to it.</summary>
public sealed class StartTask(Guid taskId, DateTime at, int attempt, string worker, int? leaseMs) : TaskCommand(taskId, at)
{
    /// <summary>Must be the next attempt.</summary>
    public int Attempt { get; } = attempt;

    /// <summary>Who runs it.</summary>
    public string Worker { get; } = worker;

    /// <summary>Length of the lease; null is the task's own.</summary>
    public int? LeaseMs { get; } = leaseMs;
}

/// <summary>Something about the running attempt, fenced by its number.</summary>
public abstract class AttemptCommand(Guid taskId, DateTime at, int attempt, string? worker) : TaskCommand(taskId, at)
{
    /// <summary>Must be the running attempt.</summary>
    public int Attempt { get; } = attempt;

    /// <summary>
    /// Must be who started the attempt, where given. A dispatch that the broker delivers twice gives two bus workers the
    /// same attempt; a claim never does, so pull workers need not say it.
    /// </summary>
    public string? Worker { get; } = worker;
}

/// <summary>The running attempt goes on.</summary>
public sealed class RenewLease(Guid taskId, DateTime at, int attempt, string? worker, int? leaseMs = null, string? progress = null)
    : AttemptCommand(taskId, at, attempt, worker)
{
    /// <summary>A new length of the lease, or null to keep it.</summary>
    public int? LeaseMs { get; } = leaseMs;

    /// <summary>JSON text of how far it is, or null to leave what was said before.</summary>
    public string? Progress { get; } = progress;
}

/// <summary>The running attempt succeeded.</summary>
public sealed class CompleteTask(Guid taskId, DateTime at, int attempt, string? worker, string? result)
    : AttemptCommand(taskId, at, attempt, worker)
{
    /// <summary>JSON text.</summary>
    public string? Result { get; } = result;
}

/// <summary>The running attempt failed.</summary>
public sealed class FailTask(Guid taskId, DateTime at, int attempt, string? worker, string error, bool retryable)
    : AttemptCommand(taskId, at, attempt, worker)
{
    /// <summary>Why.</summary>
    public string Error { get; } = error;

    /// <summary>Whether another attempt may help.</summary>
    public bool Retryable { get; } = retryable;
}

/// <summary>The worker of the running attempt gives the task back for later.</summary>
public sealed class SnoozeTask(Guid taskId, DateTime at, int attempt, string? worker, TimeSpan wait)
    : AttemptCommand(taskId, at, attempt, worker)
{
    /// <summary>How long the task is not run.</summary>
    public TimeSpan Wait { get; } = wait;
}

/// <summary>The scheduler found the lease of the running attempt in the past.</summary>
public sealed class ExpireLease(Guid taskId, DateTime at) : TaskCommand(taskId, at);

/// <summary>The scheduler found a waiting push task due for dispatch.</summary>
public sealed class DispatchTask(Guid taskId, DateTime at) : TaskCommand(taskId, at);

/// <summary>The scheduler found a waiting task past its expiry.</summary>
public sealed class ExpireTask(Guid taskId, DateTime at) : TaskCommand(taskId, at);

/// <summary>Somebody cancels the task.</summary>
public sealed class CancelTask(Guid taskId, DateTime at) : TaskCommand(taskId, at);

/// <summary>Somebody deletes the task, whatever its state.</summary>
public sealed class DeleteTask(Guid taskId, DateTime at) : TaskCommand(taskId, at);

/// <summary>Somebody sends a Failed or Cancelled task to run again.</summary>
public sealed class RetryTask(Guid taskId, DateTime at, DateTime? dueAt = null, DateTime? expiresAt = null) : TaskCommand(taskId, at)
{
    /// <summary>Not run earlier; null is at once.</summary>
    public DateTime? DueAt { get; } = dueAt;

    /// <summary>Not started at or after this time; null is the default of the queue.</summary>
    public DateTime? ExpiresAt { get; } = expiresAt;
}
