using MassTransit;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>Activities of the transitions.</summary>
public sealed partial class TaskStateMachine
{
    private static bool MayStart(BehaviorContext<TaskState, StartTask> c) =>
        c.Message.Attempt == c.Saga.Attempt + 1 && !c.Saga.Blocked && c.Saga.DueAt <= c.Message.At && !(c.Saga.ExpiresAt <= c.Message.At);

    private static bool MayDispatch(BehaviorContext<TaskState, DispatchTask> c) =>
        c.Saga.DispatchAt <= c.Message.At && !(c.Saga.ExpiresAt <= c.Message.At);

    private static bool HoldsLease<T>(BehaviorContext<TaskState, T> c)
        where T : AttemptCommand =>
        c.Message.Attempt == c.Saga.Attempt && (c.Message.Worker is null || c.Message.Worker == c.Saga.Worker)
        && (c.Message.Access.Credential is null || c.Message.Access.Credential == c.Saga.ClaimedBy);

    private static string LeaseExpiredError(TaskState task) =>
        $"lease of attempt {task.Attempt} expired: no heartbeat for {task.LeaseMs} ms";

    /// <summary>Whether the task has lost so many workers that it is likely to be what kills them.</summary>
    private static bool IsToQuarantine(BehaviorContext<TaskState, ExpireLease> c) =>
        c.Saga.Settings.CrashLimit is > 0 and var limit && c.Saga.Crashes >= limit && !(c.Saga.ExpiresAt <= c.Message.At);

    private static string CrashError(BehaviorContext<TaskState, ExpireLease> c) =>
        IsToQuarantine(c) ? QuarantineError.Of(c.Saga.Crashes) : LeaseExpiredError(c.Saga);

    private static void Accept(BehaviorContext<TaskState, SubmitTask> c)
    {
        c.Message.CommandResult = CommandResult.Applied;
        c.Saga.Record(TaskEventType.Submitted, c.Message.At, dispatch: c.Saga.DispatchAt > c.Saga.DueAt);
    }

    private static void BeginAttempt(BehaviorContext<TaskState, StartTask> c)
    {
        var task = c.Saga;
        task.Attempt++;
        task.AttemptsLeft--;
        task.Worker = c.Message.Worker;
        task.ClaimedBy = c.Message.Access.Credential;
        task.LeaseMs = c.Message.LeaseMs ?? task.DefaultLeaseMs;
        task.LeaseUntil = c.Message.At.AddMilliseconds(task.LeaseMs);
        task.StartedAt = c.Message.At;
        task.DispatchAt = null;
        c.Message.CommandResult = CommandResult.Applied;
        task.Record(TaskEventType.Started, c.Message.At);
    }

    private static void RefuseStart(BehaviorContext<TaskState, StartTask> c) =>
        c.Message.CommandResult = c.Message.Attempt <= c.Saga.Attempt ? CommandResult.StaleAttempt : CommandResult.NotAllowed;

    private static void ExtendLease(BehaviorContext<TaskState, RenewLease> c)
    {
        c.Saga.LeaseMs = c.Message.LeaseMs ?? c.Saga.LeaseMs;
        c.Saga.LeaseUntil = c.Message.At.AddMilliseconds(c.Saga.LeaseMs);
        c.Saga.Progress = c.Message.Progress ?? c.Saga.Progress;
        c.Message.CommandResult = CommandResult.Applied;
    }

    private static bool EndsByLeaseExpiry(BehaviorContext<TaskState, ExpireLease> c) =>
        c.Saga.AttemptsLeft == 0 && !(c.Saga.ExpiresAt <= c.Message.At) && CompletionActionsJson.Of(c.Saga)?.LeaseExpiryResult is not null;

    private void KeepLeaseExpiryResult(BehaviorContext<TaskState, ExpireLease> c)
    {
        c.Saga.Result = CompletionActionsJson.Of(c.Saga)!.LeaseExpiryResult;
        c.Saga.Error = null;
        Close(c.Saga, c.Message, TaskEventType.Completed);
    }

    private void KeepResult(BehaviorContext<TaskState, CompleteTask> c)
    {
        c.Saga.Result = c.Message.Result;
        c.Saga.Error = null;
        Close(c.Saga, c.Message, TaskEventType.Completed);
    }

    private static void TryAgain<T>(BehaviorContext<TaskState, T> c)
        where T : TaskCommand
    {
        var task = c.Saga;
        // A worker crash costs the task neither time nor its position in the queue, unless a retry policy was chosen. A broker has no
        // positions, and the time a task has been due decides when to dispatch it again. A worker that asks for a delay knows better
        // than the policy.
        var due = c.Message is ExpireLease && task.Retry is null
            ? task.Push ? c.Message.At : task.DueAt
            : Micros.Cut(c.Message.At + ((c.Message as FailTask)?.RetryAfter
                ?? RetryBackoff.After(task.Retry, Math.Max(1, task.RunAttempt), task.CorrelationId)));
        WaitAgain(task, c.Message, due, TaskEventType.Retrying);
    }

    private static void Release(BehaviorContext<TaskState, SnoozeTask> c)
    {
        c.Saga.AttemptsLeft++;
        c.Saga.Crashes = 0; // the worker survived it
        WaitAgain(c.Saga, c.Message, c.Message.At + c.Message.Wait, TaskEventType.Snoozed);
    }

    private static void WaitAgain(TaskState task, TaskCommand command, DateTime due, TaskEventType type)
    {
        var frees = Frees(task);
        task.LeaseUntil = null;
        task.Limited = false;
        task.DueAt = due;
        task.DispatchAt = task.Push ? due : null;
        command.CommandResult = CommandResult.Applied;
        task.Record(type, command.At, frees: frees);
    }

    private void GiveUp<T>(BehaviorContext<TaskState, T> c)
        where T : TaskCommand
    {
        var (task, deadLetters) = (c.Saga, c.Saga.Settings.DeadLetters);
        task.Dead = deadLetters.Enabled && task.BatchId is null; // a batch does not retry its items
        Close(task, c.Message, TaskEventType.Failed);
        if (task.Dead && deadLetters.RetentionMs is { } retention)
            task.ExpiresAt = task.DeleteAt = c.Message.At.AddMilliseconds(retention);
    }

    private void End(BehaviorContext<TaskState, CancelTask> c) => Close(c.Saga, c.Message, TaskEventType.Cancelled);

    private void End(BehaviorContext<TaskState, ChangeTask> c) => Close(c.Saga, c.Message, TaskEventType.Cancelled);

    private void End(BehaviorContext<TaskState, ExpireTask> c) => Close(c.Saga, c.Message, TaskEventType.Expired);

    private void Forget(BehaviorContext<TaskState, DeleteTask> c)
    {
        Close(c.Saga, c.Message, TaskEventType.Cancelled);
        c.Saga.DeleteAt = DeleteTime(c.Saga, c.Message.At);
    }

    private void Close(TaskState task, TaskCommand command, TaskEventType type)
    {
        var frees = Frees(task);
        task.FinishedAt = command.At;
        task.DeleteAt = DeleteTime(task,
            command.At + (task.Settings.KeepFinishedMs is { } ms ? TimeSpan.FromMilliseconds(ms) : _keepFinished));
        task.LeaseUntil = null;
        task.DispatchAt = null;
        task.Limited = false;
        task.Blocked = false;
        command.CommandResult = CommandResult.Applied;
        task.Record(type, command.At, frees: frees);
    }

    /// <summary>The task of a batch item is kept until its batch has written the result to a file.</summary>
    private static DateTime? DeleteTime(TaskState task, DateTime at) => task.BatchId is null ? at : null;

    private static bool Frees(TaskState task) => task.Limited || (task.OrderingKey is not null && !task.Blocked);

    private static void SendToWorkers(BehaviorContext<TaskState, DispatchTask> c)
    {
        c.Message.CommandResult = CommandResult.Applied;
        if (c.Saga.Settings.Paused)
        {
            c.Saga.DispatchAt = null; // set again when the queue resumes
            return;
        }

        // Doubling the wait each time bounds the duplicates of a long backlog.
        var waited = c.Message.At - c.Saga.DueAt;
        c.Saga.DispatchAt = c.Message.At + (waited > RedispatchAfter ? waited : RedispatchAfter);
        c.Saga.Record(TaskEventType.Dispatched, c.Message.At, dispatch: true);
    }

    private static void AnswerAgain<T>(BehaviorContext<TaskState, T> c)
        where T : AttemptCommand =>
        c.Message.CommandResult = HoldsLease(c) ? CommandResult.Duplicate : CommandResult.Finished;

    private static void RunAgain(BehaviorContext<TaskState, RetryTask> c)
    {
        var task = c.Saga;
        Apply(task, c.Message.With);
        task.AttemptsLeft = task.MaxAttempts;
        task.Crashes = 0;
        task.Result = null;
        task.Error = null;
        task.FinishedAt = null;
        task.DeleteAt = null;
        task.Dead = false;
        task.Blocked = task.OrderingKey is not null;
        // The quarantine sets tasks aside by a due time in the year 9999, which is none of theirs.
        var dueAt = c.Message.Restores && task.DueAt.Year < 9999 ? task.DueAt : c.Message.DueAt;
        task.DueAt = dueAt > c.Message.At ? dueAt.Value : c.Message.At;
        // Retried by hand: the old expiry no longer applies. A task without one got none when it was accepted.
        if (!c.Message.Restores || task.ExpiresAt <= c.Message.At)
            task.ExpiresAt = SubmissionRules.Expiry(task.Settings, task.Tier, task.DueAt, c.Message.ExpiresAt);
        var dispatch = task.Push && !task.Settings.Paused && task.DueAt <= c.Message.At;
        task.DispatchAt = dispatch ? c.Message.At + RedispatchAfter : task.Push ? task.DueAt : null;
        c.Message.CommandResult = CommandResult.Applied;
        task.Record(TaskEventType.Submitted, c.Message.At, dispatch);
    }
}
