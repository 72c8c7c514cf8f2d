using MassTransit;

namespace TaskQueue.Engine.Tasks;

/// <summary>
/// The only place that decides a transition. Every event is answered in every state: done, a duplicate, or refused.
/// Activities are pure: they change the instance, note what happened, and set the verdict.
/// </summary>
public sealed class TaskStateMachine : MassTransitStateMachine<TaskState>
{
    /// <summary>How long a dispatched task may wait for its worker before it is dispatched again; doubles each time.</summary>
    public static readonly TimeSpan RedispatchAfter = TimeSpan.FromMinutes(10);

    /// <summary>Builds the machine.</summary>
    public TaskStateMachine()
    {
        // The order gives the numbers in TaskStates.
        InstanceState(x => x.State, Pending, Running, Completed, Failed, Retrying, Cancelled, Expired);

        Event(() => Submit, e =>
        {
            e.InsertOnInitial = true; // a new task costs no SELECT
            e.SetSagaFactory(c => c.Message.Task.Copy());
        });

        Initially(When(Submit).TransitionTo(Pending).Then(Accept));
        DuringAny(When(Submit).Answer(Verdict.Duplicate));

        WhileWaiting();
        WhileRunning();
        WhenEnded();
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

    /// <summary>See <see cref="LapseLease"/>.</summary>
    public Event<LapseLease> Lapse { get; private set; } = null!;

    /// <summary>See <see cref="DispatchTask"/>.</summary>
    public Event<DispatchTask> Dispatch { get; private set; } = null!;

    /// <summary>See <see cref="ExpireTask"/>.</summary>
    public Event<ExpireTask> Expire { get; private set; } = null!;

    /// <summary>See <see cref="CancelTask"/>.</summary>
    public Event<CancelTask> Cancel { get; private set; } = null!;

    /// <summary>See <see cref="RetryTask"/>.</summary>
    public Event<RetryTask> Retry { get; private set; } = null!;

    /// <summary>
    /// When the scheduler dispatches a new task: never where it is pulled; at its due time; or, where its acceptance
    /// sends it at once, when no worker has started it for long.
    /// </summary>
    public static DateTime? FirstDispatch(TaskState task, bool atOnce) =>
        !task.Push ? null : atOnce && task.DueAt <= task.CreatedAt ? task.CreatedAt + RedispatchAfter : task.DueAt;

    private void WhileWaiting() =>
        During(Pending, Retrying,
            When(Start).IfElse(MayStart, then => then.TransitionTo(Running).Then(BeginAttempt), refused => refused.Then(RefuseStart)),
            When(Dispatch).IfElse(MayDispatch, then => then.Then(SendToWorkers), refused => refused.Answer(Verdict.NotAllowed)),
            When(Expire).IfElse(c => c.Saga.ExpiresAt <= c.Message.At, then => then.TransitionTo(Expired).Then(End), refused => refused.Answer(Verdict.NotAllowed)),
            When(Cancel).TransitionTo(Cancelled).Then(End),
            When(Renew).Answer(Verdict.StaleAttempt),
            When(Complete).Answer(Verdict.StaleAttempt),
            When(Fail).Answer(Verdict.StaleAttempt),
            When(Lapse).Answer(Verdict.NotAllowed),
            When(Retry).Answer(Verdict.NotAllowed));

    private void WhileRunning() =>
        During(Running,
            When(Renew).IfElse(HoldsLease, then => then.Then(ExtendLease), refused => refused.Answer(Verdict.StaleAttempt)),
            When(Complete).IfElse(HoldsLease, then => then.TransitionTo(Completed).Then(KeepResult), refused => refused.Answer(Verdict.StaleAttempt)),
            When(Fail).IfElse(HoldsLease,
                then => then.IfElse(c => c.Message.Retryable && c.Saga.AttemptsLeft > 0,
                    again => again.TransitionTo(Retrying).Then(c => TryAgain(c, c.Message.Error, RetryBackoff.After(c.Saga.MaxAttempts - c.Saga.AttemptsLeft))),
                    over => over.TransitionTo(Failed).Then(c => GiveUp(c, c.Message.Error))),
                refused => refused.Answer(Verdict.StaleAttempt)),
            When(Lapse).IfElse(c => c.Saga.LeaseUntil <= c.Message.At,
                then => then.IfElse(c => c.Saga.AttemptsLeft > 0,
                    again => again.TransitionTo(Retrying).Then(c => TryAgain(c, LapsedError(c.Saga), TimeSpan.Zero)),
                    over => over.TransitionTo(Failed).Then(c => GiveUp(c, LapsedError(c.Saga)))),
                refused => refused.Answer(Verdict.NotAllowed)),
            When(Cancel).TransitionTo(Cancelled).Then(End),
            When(Start).Then(c => c.Message.Verdict = c.Message.Attempt == c.Saga.Attempt && c.Message.Worker == c.Saga.Worker ? Verdict.Duplicate : Verdict.StaleAttempt),
            When(Dispatch).Answer(Verdict.NotAllowed),
            When(Expire).Answer(Verdict.NotAllowed),
            When(Retry).Answer(Verdict.NotAllowed));

    private void WhenEnded()
    {
        During([Completed, Failed, Cancelled, Expired],
            When(Start).Answer(Verdict.Finished),
            When(Renew).Answer(Verdict.Finished),
            When(Lapse).Answer(Verdict.Finished),
            When(Dispatch).Answer(Verdict.Finished),
            When(Expire).Answer(Verdict.Finished));
        During([Failed, Cancelled, Expired], When(Complete).Answer(Verdict.Finished));
        During([Completed, Cancelled, Expired], When(Fail).Answer(Verdict.Finished));
        During([Completed, Failed, Expired], When(Cancel).Answer(Verdict.Finished));
        During([Completed, Expired], When(Retry).Answer(Verdict.NotAllowed));
        During(Completed, When(Complete).Then(AnswerAgain));
        During(Failed, When(Fail).Then(AnswerAgain));
        During(Cancelled, When(Cancel).Answer(Verdict.Duplicate));
        During([Failed, Cancelled], When(Retry).TransitionTo(Pending).Then(RunAgain));
    }

    private static bool MayStart(BehaviorContext<TaskState, StartTask> c) =>
        c.Message.Attempt == c.Saga.Attempt + 1 && c.Saga.DueAt <= c.Message.At && !(c.Saga.ExpiresAt <= c.Message.At);

    private static bool MayDispatch(BehaviorContext<TaskState, DispatchTask> c) =>
        c.Saga.DispatchAt <= c.Message.At && !(c.Saga.ExpiresAt <= c.Message.At);

    private static bool HoldsLease<T>(BehaviorContext<TaskState, T> c)
        where T : AttemptCommand =>
        c.Message.Attempt == c.Saga.Attempt && (c.Message.Worker is null || c.Message.Worker == c.Saga.Worker);

    private static string LapsedError(TaskState task) => $"lease of attempt {task.Attempt} lapsed: no heartbeat for {task.LeaseMs} ms";

    private static void Accept(BehaviorContext<TaskState, SubmitTask> c)
    {
        c.Message.Verdict = Verdict.Applied;
        c.Saga.Record(TaskEventType.Submitted, c.Message.At, dispatch: c.Saga.DispatchAt > c.Saga.DueAt);
    }

    private static void BeginAttempt(BehaviorContext<TaskState, StartTask> c)
    {
        var task = c.Saga;
        task.Attempt++;
        task.AttemptsLeft--;
        task.Worker = c.Message.Worker;
        task.LeaseMs = c.Message.LeaseMs;
        task.LeaseUntil = c.Message.At.AddMilliseconds(c.Message.LeaseMs);
        task.StartedAt = c.Message.At;
        task.DispatchAt = null;
        c.Message.Verdict = Verdict.Applied;
        task.Record(TaskEventType.Started, c.Message.At);
    }

    private static void RefuseStart(BehaviorContext<TaskState, StartTask> c) =>
        c.Message.Verdict = c.Message.Attempt <= c.Saga.Attempt ? Verdict.StaleAttempt : Verdict.NotAllowed;

    private static void ExtendLease(BehaviorContext<TaskState, RenewLease> c)
    {
        c.Saga.LeaseMs = c.Message.LeaseMs ?? c.Saga.LeaseMs;
        c.Saga.LeaseUntil = c.Message.At.AddMilliseconds(c.Saga.LeaseMs);
        c.Message.Verdict = Verdict.Applied;
    }

    private static void KeepResult(BehaviorContext<TaskState, CompleteTask> c)
    {
        c.Saga.Result = c.Message.Result;
        c.Saga.Error = null;
        Close(c.Saga, c.Message, TaskEventType.Completed);
    }

    private static void TryAgain<T>(BehaviorContext<TaskState, T> c, string error, TimeSpan wait)
        where T : TaskCommand
    {
        var task = c.Saga;
        task.Error = error;
        task.LeaseUntil = null;
        task.DueAt = c.Message.At + wait;
        task.DispatchAt = task.Push ? task.DueAt : null;
        c.Message.Verdict = Verdict.Applied;
        task.Record(TaskEventType.Retrying, c.Message.At);
    }

    private static void GiveUp<T>(BehaviorContext<TaskState, T> c, string error)
        where T : TaskCommand
    {
        c.Saga.Error = error;
        Close(c.Saga, c.Message, TaskEventType.Failed);
    }

    private static void End(BehaviorContext<TaskState, CancelTask> c) => Close(c.Saga, c.Message, TaskEventType.Cancelled);

    private static void End(BehaviorContext<TaskState, ExpireTask> c) => Close(c.Saga, c.Message, TaskEventType.Expired);

    private static void Close(TaskState task, TaskCommand command, TaskEventType type)
    {
        task.FinishedAt = command.At;
        task.LeaseUntil = null;
        task.DispatchAt = null;
        command.Verdict = Verdict.Applied;
        task.Record(type, command.At);
    }

    private static void SendToWorkers(BehaviorContext<TaskState, DispatchTask> c)
    {
        // Waiting twice as long each time bounds the duplicates of a long backlog.
        var waited = c.Message.At - c.Saga.DueAt;
        c.Saga.DispatchAt = c.Message.At + (waited > RedispatchAfter ? waited : RedispatchAfter);
        c.Message.Verdict = Verdict.Applied;
        c.Saga.Record(TaskEventType.Dispatched, c.Message.At, dispatch: true);
    }

    private static void AnswerAgain<T>(BehaviorContext<TaskState, T> c)
        where T : AttemptCommand =>
        c.Message.Verdict = HoldsLease(c) ? Verdict.Duplicate : Verdict.Finished;

    private static void RunAgain(BehaviorContext<TaskState, RetryTask> c)
    {
        var task = c.Saga;
        task.AttemptsLeft = task.MaxAttempts;
        task.Result = null;
        task.Error = null;
        task.FinishedAt = null;
        task.ExpiresAt = null; // asked for by hand: the old deadline no longer speaks
        task.DueAt = c.Message.At;
        task.DispatchAt = task.Push ? c.Message.At + RedispatchAfter : null;
        c.Message.Verdict = Verdict.Applied;
        task.Record(TaskEventType.Submitted, c.Message.At, dispatch: task.Push);
    }
}

/// <summary>Words of the machine.</summary>
internal static class TaskStateMachineExtensions
{
    /// <summary>Answers and changes nothing.</summary>
    public static EventActivityBinder<TaskState, T> Answer<T>(this EventActivityBinder<TaskState, T> binder, Verdict verdict)
        where T : TaskCommand =>
        binder.Then(c => c.Message.Verdict = verdict);
}
