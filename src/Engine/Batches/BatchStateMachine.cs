using MassTransit;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Batches;

/// <summary>
/// The only place that decides the transitions of a batch. Every event has an answer in every state: done, duplicate or refused. Activities
/// are pure: they change the instance and set the command result.
/// </summary>
public sealed class BatchStateMachine : MassTransitStateMachine<BatchState>
{
    /// <summary>Declares the states and transitions.</summary>
    public BatchStateMachine()
    {
        // The order defines the numbers in BatchStates.
        InstanceState(x => x.State, Validating, InProgress, Cancelling, Expiring, Finalizing, Completed, Failed, Expired, Cancelled);

        Event(() => Create, e => e.SetSagaFactory(c => c.Message.Batch));

        Initially(When(Create).TransitionTo(Validating).Then(c => c.Message.Result = CommandResult.Applied));
        DuringAny(When(Create).Answer(CommandResult.Duplicate));

        WhileComing();
        WhileGoing();
        WhenEnded();
    }

    /// <summary>Its input is being read.</summary>
    public State Validating { get; private set; } = null!;

    /// <summary>Its items are being expanded into tasks, or are running.</summary>
    public State InProgress { get; private set; } = null!;

    /// <summary>Cancelled on request; its tasks are ending.</summary>
    public State Cancelling { get; private set; } = null!;

    /// <summary>The deadline has passed; its tasks are ending.</summary>
    public State Expiring { get; private set; } = null!;

    /// <summary>All its tasks have ended; its files are being written.</summary>
    public State Finalizing { get; private set; } = null!;

    /// <summary>Ended with all results.</summary>
    public State Completed { get; private set; } = null!;

    /// <summary>Ended because its input is invalid.</summary>
    public State Failed { get; private set; } = null!;

    /// <summary>Ended by its deadline.</summary>
    public State Expired { get; private set; } = null!;

    /// <summary>Cancelled on request.</summary>
    public State Cancelled { get; private set; } = null!;

    /// <summary>See <see cref="CreateBatch"/>.</summary>
    public Event<CreateBatch> Create { get; private set; } = null!;

    /// <summary>See <see cref="BeginBatch"/>.</summary>
    public Event<BeginBatch> Begin { get; private set; } = null!;

    /// <summary>See <see cref="RefuseBatch"/>.</summary>
    public Event<RefuseBatch> Refuse { get; private set; } = null!;

    /// <summary>See <see cref="CancelBatch"/>.</summary>
    public Event<CancelBatch> Cancel { get; private set; } = null!;

    /// <summary>See <see cref="ExpireBatch"/>.</summary>
    public Event<ExpireBatch> Expire { get; private set; } = null!;

    /// <summary>See <see cref="FinalizeBatch"/>.</summary>
    public Event<FinalizeBatch> Finalize { get; private set; } = null!;

    /// <summary>See <see cref="FinishBatch"/>.</summary>
    public Event<FinishBatch> Finish { get; private set; } = null!;

    private void WhileComing()
    {
        During([Validating, InProgress],
            When(Cancel).TransitionTo(Cancelling).Then(c => c.Saga.CancellingAt = Apply(c)),
            When(Expire).IfElse(c => c.Saga.DeadlineAt <= c.Message.At,
                then => then.TransitionTo(Expiring).Then(c => Apply(c)), refused => refused.Answer(CommandResult.NotAllowed)),
            When(Finish).Answer(CommandResult.NotAllowed));
        During(Validating,
            When(Begin).TransitionTo(InProgress).Then(KeepCounts),
            When(Refuse).TransitionTo(Failed).Then(KeepErrors),
            When(Finalize).Answer(CommandResult.NotAllowed));
        During(InProgress,
            When(Begin).Answer(CommandResult.Duplicate),
            When(Refuse).Answer(CommandResult.NotAllowed),
            When(Finalize).IfElse(c => c.Saga.LinesDone >= c.Saga.Total,
                then => then.TransitionTo(Finalizing).Then(c => c.Saga.FinalizingAt = Apply(c)), refused =>
                    refused.Answer(CommandResult.NotAllowed)));
    }

    /// <summary>A cancelled or expired batch keeps its state while its files are written; the timestamp marks them as written.</summary>
    private void WhileGoing()
    {
        During([Cancelling, Expiring],
            When(Finalize).IfElse(c => c.Saga.FinalizingAt is null,
                then => then.Then(c => c.Saga.FinalizingAt = Apply(c)), refused => refused.Answer(CommandResult.Duplicate)));
        During([Cancelling, Expiring, Finalizing],
            When(Begin).Answer(CommandResult.NotAllowed),
            When(Refuse).Answer(CommandResult.NotAllowed));
        During(Cancelling,
            When(Cancel).Answer(CommandResult.Duplicate),
            When(Expire).Answer(CommandResult.NotAllowed),
            When(Finish)
                .IfElse(c => c.Saga.FinalizingAt is not null, then => then.TransitionTo(Cancelled).Then(KeepFiles), refused =>
                    refused.Answer(CommandResult.NotAllowed)));
        During(Expiring,
            When(Cancel).Answer(CommandResult.NotAllowed),
            When(Expire).Answer(CommandResult.Duplicate),
            When(Finish)
                .IfElse(c => c.Saga.FinalizingAt is not null, then => then.TransitionTo(Expired).Then(KeepFiles), refused =>
                    refused.Answer(CommandResult.NotAllowed)));
        During(Finalizing,
            When(Cancel).Answer(CommandResult.NotAllowed),
            When(Expire).Answer(CommandResult.NotAllowed),
            When(Finalize).Answer(CommandResult.Duplicate),
            When(Finish).TransitionTo(Completed).Then(KeepFiles));
    }

    private void WhenEnded() =>
        During([Completed, Failed, Expired, Cancelled],
            When(Begin).Answer(CommandResult.Finished),
            When(Refuse).Answer(CommandResult.Finished),
            When(Cancel).Answer(CommandResult.Finished),
            When(Expire).Answer(CommandResult.Finished),
            When(Finalize).Answer(CommandResult.Finished),
            When(Finish).Answer(CommandResult.Finished));

    private static DateTime Apply<T>(BehaviorContext<BatchState, T> c)
        where T : BatchCommand
    {
        c.Message.Result = CommandResult.Applied;
        return c.Message.At;
    }

    private static void KeepCounts(BehaviorContext<BatchState, BeginBatch> c)
    {
        c.Saga.Total = c.Message.Total;
        c.Saga.BadLines = c.Message.BadLines;
        c.Saga.Model = c.Message.Model;
        c.Saga.InProgressAt = Apply(c);
    }

    private static void KeepErrors(BehaviorContext<BatchState, RefuseBatch> c)
    {
        c.Saga.Errors = c.Message.Errors;
        c.Saga.FinishedAt = Apply(c);
    }

    private static void KeepFiles(BehaviorContext<BatchState, FinishBatch> c)
    {
        var (batch, files) = (c.Saga, c.Message.Files);
        batch.OutputFileId = files.OutputFileId;
        batch.ErrorFileId = files.ErrorFileId;
        batch.Completed = files.Completed;
        batch.FailedLines = files.Failed;
        batch.Usage = files.Usage;
        // The batch may have ended before its items were counted.
        batch.Total = Math.Max(batch.Total, files.Completed + files.Failed + files.Unfinished);
        batch.FinishedAt = Apply(c);
    }
}

/// <summary>Verbs of the state machine.</summary>
internal static class BatchStateMachineExtensions
{
    /// <summary>Sets the command result without changing the instance.</summary>
    public static EventActivityBinder<BatchState, T> Answer<T>(this EventActivityBinder<BatchState, T> binder, CommandResult commandResult)
        where T : BatchCommand =>
        binder.Then(c => c.Message.Result = commandResult);
}
