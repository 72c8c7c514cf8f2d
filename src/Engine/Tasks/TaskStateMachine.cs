using MassTransit;

namespace TaskQueue.Engine.Tasks;

/// <summary>
/// The only place that decides the transitions of a task. Every event has an answer in every state: done, duplicate or refused. Activities
/// are pure: they change the instance, record events, and set the command result.
/// </summary>
public sealed partial class TaskStateMachine : MassTransitStateMachine<TaskState>
{
    /// <summary>How long a dispatched task waits for its worker before it is dispatched again; doubles each time.</summary>
    public static readonly TimeSpan RedispatchAfter = TimeSpan.FromMinutes(10);

    private readonly TimeSpan _keepFinished;

    /// <summary>Declares the states and transitions.</summary>
    /// <param name="keepFinished">Retention of finished tasks in queues without their own setting; default 7 days.</param>
    public TaskStateMachine(TimeSpan? keepFinished = null)
    {
        _keepFinished = keepFinished ?? EngineOptions.DefaultKeepFinished;

        // The order defines the numbers in TaskStates.
        InstanceState(x => x.State, Pending, Running, Completed, Failed, Retrying, Cancelled, Expired);

        Initially(When(Submit).TransitionTo(Pending).Then(Accept));
        DuringAny(When(Submit).Then(c =>
            c.Message.CommandResult = c.Saga.Owner == c.Message.Task.Owner && !c.Saga.IsDeleted(c.Message.At) ? CommandResult.Duplicate
                : CommandResult.IdConflict));

        WhileWaiting();
        WhileRunning();
        WhenEnded();
        WhenDeleted();
    }

    /// <summary>Waits for its due time and a worker.</summary>
    public State Pending { get; private set; } = null!;

    /// <summary>A worker holds a lease.</summary>
    public State Running { get; private set; } = null!;

    /// <summary>Ended with a result.</summary>
    public State Completed { get; private set; } = null!;

    /// <summary>Ended with an error.</summary>
    public State Failed { get; private set; } = null!;

    /// <summary>Waits for the next attempt.</summary>
    public State Retrying { get; private set; } = null!;

    /// <summary>Cancelled on request.</summary>
    public State Cancelled { get; private set; } = null!;

    /// <summary>Expired before it started.</summary>
    public State Expired { get; private set; } = null!;

    /// <summary>See <see cref="SubmitTask"/>.</summary>
    public Event<SubmitTask> Submit { get; private set; } = null!;

    /// <summary>See <see cref="StartTask"/>.</summary>
    public Event<StartTask> Start { get; private set; } = null!;

    /// <summary>See <see cref="RenewLease"/>.</summary>
    public Event<RenewLease> Renew { get; private set; } = null!;

    /// <summary>See <see cref="CompleteTask"/>.</summary>
    public Event<CompleteTask> Complete { get; private set; } = null!;

    /// <summary>See <see cref="FailTask"/>.</summary>
    public Event<FailTask> Fail { get; private set; } = null!;

    /// <summary>See <see cref="SnoozeTask"/>.</summary>
    public Event<SnoozeTask> Snooze { get; private set; } = null!;

    /// <summary>See <see cref="ExpireLease"/>.</summary>
    public Event<ExpireLease> LeaseExpiry { get; private set; } = null!;

    /// <summary>See <see cref="DispatchTask"/>.</summary>
    public Event<DispatchTask> Dispatch { get; private set; } = null!;

    /// <summary>See <see cref="ExpireTask"/>.</summary>
    public Event<ExpireTask> Expire { get; private set; } = null!;

    /// <summary>See <see cref="CancelTask"/>.</summary>
    public Event<CancelTask> Cancel { get; private set; } = null!;

    /// <summary>See <see cref="DeleteTask"/>.</summary>
    public Event<DeleteTask> Delete { get; private set; } = null!;

    /// <summary>See <see cref="RetryTask"/>.</summary>
    public Event<RetryTask> Retry { get; private set; } = null!;

    /// <summary>See <see cref="ChangeTask"/>.</summary>
    public Event<ChangeTask> Change { get; private set; } = null!;

    /// <summary>
    /// When the scheduler dispatches a new task: never if it is pulled; at its due time; or, if it is dispatched on acceptance, when no
    /// worker has started it for a long time.
    /// </summary>
    public static DateTime? FirstDispatch(TaskState task, bool atOnce) =>
        !task.Push ? null : atOnce && !task.Settings.Paused && task.DueAt <= task.CreatedAt ? task.CreatedAt + RedispatchAfter : task.DueAt;

    private void WhileWaiting() =>
        During(Pending, Retrying,
            When(Start).IfElse(MayStart, then => then.TransitionTo(Running).Then(BeginAttempt), refused => refused.Then(RefuseStart)),
            When(Dispatch).IfElse(MayDispatch, then => then.Then(SendToWorkers), refused => refused.Answer(CommandResult.NotAllowed)),
            When(Expire)
                .IfElse(c => c.Saga.ExpiresAt <= c.Message.At, then => then.TransitionTo(Expired).Then(End), refused =>
                    refused.Answer(CommandResult.NotAllowed)),
            When(Cancel).TransitionTo(Cancelled).Then(End),
            When(Delete).IfElse(IsWanted, then => then.TransitionTo(Cancelled).Then(Forget), Refuse),
            When(Change).IfElse(CanChange,
                then => then.Then(ApplyChange).If(c => c.Message.Ends, ends => ends.TransitionTo(Cancelled).Then(End)),
                refused => refused.Then(RefuseChange)),
            When(Renew).Answer(CommandResult.StaleAttempt),
            When(Complete).Answer(CommandResult.StaleAttempt),
            When(Fail).Answer(CommandResult.StaleAttempt),
            When(Snooze).Answer(CommandResult.StaleAttempt),
            When(LeaseExpiry).Answer(CommandResult.NotAllowed),
            When(Retry).Then(RefuseRetry));

    private void WhileRunning() =>
        During(Running,
            When(Renew).IfElse(HoldsLease, then => then.Then(ExtendLease), refused => refused.Answer(CommandResult.StaleAttempt)),
            When(Complete)
                .IfElse(HoldsLease, then => then.TransitionTo(Completed).Then(KeepResult), refused =>
                    refused.Answer(CommandResult.StaleAttempt)),
            When(Fail).IfElse(HoldsLease,
                then => AfterFailure(then, c => c.Message.Retryable, c => c.Message.Error),
                refused => refused.Answer(CommandResult.StaleAttempt)),
            When(Snooze)
                .IfElse(HoldsLease, then => then.TransitionTo(Pending).Then(Release), refused =>
                    refused.Answer(CommandResult.StaleAttempt)),
            When(LeaseExpiry).IfElse(c => c.Saga.LeaseUntil <= c.Message.At,
                then => then.Then(c => c.Saga.Crashes++).IfElse(EndsByLeaseExpiry,
                    ends => ends.TransitionTo(Completed).Then(KeepLeaseExpiryResult),
                    fails => AfterFailure(fails, c => !IsToQuarantine(c), CrashError)),
                refused => refused.Answer(CommandResult.NotAllowed)),
            When(Cancel).IfElse(c => !c.Message.OnlyWaiting, then => then.TransitionTo(Cancelled).Then(End), Refuse),
            When(Delete).IfElse(IsWanted, then => then.TransitionTo(Cancelled).Then(Forget), Refuse),
            When(Change).Then(RefuseChangeOfRunning),
            When(Start)
                .Then(c => c.Message.CommandResult = c.Message.Attempt == c.Saga.Attempt && c.Message.Worker == c.Saga.Worker
                    ? CommandResult.Duplicate : CommandResult.StaleAttempt),
            When(Dispatch).Answer(CommandResult.NotAllowed),
            When(Expire).Answer(CommandResult.NotAllowed),
            When(Retry).Then(RefuseRetry));

    /// <summary>
    /// A failed attempt past the expiry ends the task, whatever attempts are left, and makes it no dead letter (moab.md 6).
    /// </summary>
    private EventActivityBinder<TaskState, T> AfterFailure<T>(
        EventActivityBinder<TaskState, T> binder, Func<BehaviorContext<TaskState, T>, bool> retryable,
        Func<BehaviorContext<TaskState, T>, string> error)
        where T : TaskCommand =>
        binder.Then(c => c.Saga.Error = error(c)).IfElse(c => c.Saga.ExpiresAt <= c.Message.At,
            late => late.TransitionTo(Expired).Then(c => Close(c.Saga, c.Message, TaskEventType.Expired)),
            then => then.IfElse(c => retryable(c) && c.Saga.AttemptsLeft > 0,
                again => again.TransitionTo(Retrying).Then(TryAgain),
                over => over.TransitionTo(Failed).Then(GiveUp)));

    private void WhenEnded()
    {
        During([Completed, Failed, Cancelled, Expired],
            When(Start).Answer(CommandResult.Finished),
            When(Renew).Answer(CommandResult.Finished),
            When(Snooze).Answer(CommandResult.Finished),
            When(LeaseExpiry).Answer(CommandResult.Finished),
            When(Dispatch).Answer(CommandResult.Finished),
            When(Expire).Answer(CommandResult.Finished));
        During([Completed, Failed, Expired], When(Change).Answer(CommandResult.Finished));
        During(Cancelled, When(Change).Then(RefuseChangeOfCancelled));
        During([Failed, Cancelled, Expired], When(Complete).Answer(CommandResult.Finished));
        During([Completed, Cancelled, Expired], When(Fail).Answer(CommandResult.Finished));
        During([Completed, Failed, Expired], When(Cancel).Answer(CommandResult.Finished));
        During([Completed, Expired], When(Retry).Answer(CommandResult.NotAllowed));
        During(Completed, When(Complete).Then(AnswerAgain));
        During(Failed, When(Fail).Then(AnswerAgain));
        During(Cancelled, When(Cancel).Answer(CommandResult.Duplicate));
        // A batch item is already counted.
        During(Failed, When(Retry).IfElse(
            c => c.Saga.BatchId is null && !c.Message.Restores && c.Message.With?.CanApply(c.Saga) != false,
            then => then.TransitionTo(Pending).Then(RunAgain), refused => refused.Then(RefuseRetryOfFailed)));
        During(Cancelled, When(Retry).IfElse(c => c.Saga.BatchId is null && c.Message.With is null,
            then => then.TransitionTo(Pending).Then(RunAgain), Refuse));
    }

    private static EventActivityBinder<TaskState, T> Refuse<T>(EventActivityBinder<TaskState, T> refused)
        where T : TaskCommand =>
        refused.Answer(CommandResult.NotAllowed);

    /// <summary>A task that has ended keeps its state; it only becomes invisible now.</summary>
    private void WhenDeleted() =>
        During([Completed, Failed, Cancelled, Expired], When(Delete).IfElse(MayForgetEnded, then => then.Then(ForgetEnded), Refuse));
}

/// <summary>Verbs of the state machine.</summary>
internal static class TaskStateMachineExtensions
{
    /// <summary>Sets the command result without changing the instance.</summary>
    public static EventActivityBinder<TaskState, T> Answer<T>(this EventActivityBinder<TaskState, T> binder, CommandResult commandResult)
        where T : TaskCommand =>
        binder.Then(c => c.Message.CommandResult = commandResult);
}
