using MassTransit;

namespace TaskQueue.Engine.Tasks;

/// <summary>
/// The only place that decides a transition. Every event is answered in every state: done, a duplicate, or refused.
/// Activities are pure: they change the instance, note what happened, and set the command result.
/// </summary>
public sealed partial class TaskStateMachine : MassTransitStateMachine<TaskState>
{
    /// <summary>How long a dispatched task may wait for its worker before it is dispatched again; doubles each time.</summary>
    public static readonly TimeSpan RedispatchAfter = TimeSpan.FromMinutes(10);

    private readonly TimeSpan _keepFinished;

    /// <summary>Builds the machine.</summary>
    /// <param name="keepFinished">How long finished tasks stay readable where their queue does not say it; default 7 days.</param>
    public TaskStateMachine(TimeSpan? keepFinished = null)
    {
        _keepFinished = keepFinished ?? EngineOptions.DefaultKeepFinished;

        // The order gives the numbers in TaskStates.
        InstanceState(x => x.State, Pending, Running, Completed, Failed, Retrying, Cancelled, Expired);

        Event(() => Submit, e =>
        {
            e.InsertOnInitial = true; // a new task costs no SELECT
            e.SetSagaFactory(c => c.Message.Task.Copy());
        });

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

    /// <summary>Ended by somebody's wish.</summary>
    public State Cancelled { get; private set; } = null!;

    /// <summary>Ended because nobody started it in time.</summary>
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

    /// <summary>
    /// When the scheduler dispatches a new task: never where it is pulled; at its due time; or, where its acceptance
    /// sends it at once, when no worker has started it for long.
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
            When(Delete).TransitionTo(Cancelled).Then(Forget),
            When(Renew).Answer(CommandResult.StaleAttempt),
            When(Complete).Answer(CommandResult.StaleAttempt),
            When(Fail).Answer(CommandResult.StaleAttempt),
            When(Snooze).Answer(CommandResult.StaleAttempt),
            When(LeaseExpiry).Answer(CommandResult.NotAllowed),
            When(Retry).Answer(CommandResult.NotAllowed));

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
                then => then.IfElse(EndsByLeaseExpiry,
                    ends => ends.TransitionTo(Completed).Then(KeepLeaseExpiryResult),
                    fails => AfterFailure(fails, _ => true, c => LeaseExpiredError(c.Saga))),
                refused => refused.Answer(CommandResult.NotAllowed)),
            When(Cancel).TransitionTo(Cancelled).Then(End),
            When(Delete).TransitionTo(Cancelled).Then(Forget),
            When(Start)
                .Then(c => c.Message.CommandResult = c.Message.Attempt == c.Saga.Attempt && c.Message.Worker == c.Saga.Worker
                    ? CommandResult.Duplicate : CommandResult.StaleAttempt),
            When(Dispatch).Answer(CommandResult.NotAllowed),
            When(Expire).Answer(CommandResult.NotAllowed),
            When(Retry).Answer(CommandResult.NotAllowed));

    /// <summary>A failed delivery past the expiry is over, whatever attempts are left, and no dead letter (moab.md 6).</summary>
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
        During([Failed, Cancelled, Expired], When(Complete).Answer(CommandResult.Finished));
        During([Completed, Cancelled, Expired], When(Fail).Answer(CommandResult.Finished));
        During([Completed, Failed, Expired], When(Cancel).Answer(CommandResult.Finished));
        During([Completed, Expired], When(Retry).Answer(CommandResult.NotAllowed));
        During(Completed, When(Complete).Then(AnswerAgain));
        During(Failed, When(Fail).Then(AnswerAgain));
        During(Cancelled, When(Cancel).Answer(CommandResult.Duplicate));
        // A line of a batch has been counted.
        During([Failed, Cancelled], When(Retry).IfElse(c => c.Saga.BatchId is null,
            then => then.TransitionTo(Pending).Then(RunAgain), refused => refused.Answer(CommandResult.NotAllowed)));
    }

    /// <summary>What has ended keeps its state; it only goes out of sight now.</summary>
    private void WhenDeleted() =>
        During([Completed, Failed, Cancelled, Expired], When(Delete).Then(c =>
        {
            c.Saga.DeleteAt = DeleteTime(c.Saga, c.Message.At);
            c.Saga.Dead = false;
            c.Message.CommandResult = CommandResult.Applied;
        }));
}

/// <summary>Words of the machine.</summary>
internal static class TaskStateMachineExtensions
{
    /// <summary>Answers and changes nothing.</summary>
    public static EventActivityBinder<TaskState, T> Answer<T>(this EventActivityBinder<TaskState, T> binder, CommandResult commandResult)
        where T : TaskCommand =>
        binder.Then(c => c.Message.CommandResult = commandResult);
}
