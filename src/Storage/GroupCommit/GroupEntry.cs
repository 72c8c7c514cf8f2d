using System.Diagnostics;
using MassTransit;
using MassTransit.Context;
using MassTransit.Saga;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.GroupCommit;

/// <summary>A command waiting for its group.</summary>
internal abstract class GroupEntry(Guid taskId)
{
    private readonly TaskCompletionSource _committed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Exception? _fault;

    public Guid TaskId { get; } = taskId;

    /// <summary>Timestamp of its arrival.</summary>
    public long Came { get; } = Stopwatch.GetTimestamp();

    /// <summary>Completes after the commit, or fails with the exception of this entry.</summary>
    public Task Committed => _committed.Task;

    /// <summary>Whether the row may be inserted without reading it first.</summary>
    public bool InsertsBlindly { get; set; }

    /// <summary>Whether it completed an attempt whose lease had expired.</summary>
    public abstract bool HasExpired { get; }

    /// <summary>Length of its payload or result in characters.</summary>
    public abstract int Chars { get; }

    /// <summary>Runs the state machine on a copy; an exception discards the changes and fails only this entry.</summary>
    public async Task RunAsync(GroupSlot slot)
    {
        _fault = null;
        try
        {
            await SendAsync(slot);
        }
#pragma warning disable CA1031 // any exception belongs to this caller only
        catch (Exception fault)
#pragma warning restore CA1031
        {
            _fault = fault;
        }
    }

    public void Release()
    {
        if (_fault is null)
            _committed.TrySetResult();
        else
            _committed.TrySetException(_fault);
    }

    public void Fail(Exception fault) => _committed.TrySetException(fault);

    /// <summary>Rejects the command because the database rejected its change.</summary>
    public void Refuse(CommandResult commandResult)
    {
        SetResult(commandResult);
        _committed.TrySetResult();
    }

    protected abstract void SetResult(CommandResult commandResult);

    protected abstract Task SendAsync(GroupSlot slot);
}

/// <summary>The row shared by the commands of one task in a group, applied in sequence.</summary>
internal sealed class GroupSlot
{
    /// <summary>The row after the last successful command; null if there is none.</summary>
    public TaskState? Task { get; set; }

    public bool IsNew { get; set; }

    public bool IsChanged { get; set; }
}

internal sealed class GroupEntry<T>(ConsumeContext<T> context, IPipe<SagaRepositoryContext<TaskState, T>> next)
    : GroupEntry(context.CorrelationId ?? throw new ArgumentException("A command needs a task id.", nameof(context)))
    where T : class
{
    public override bool HasExpired => context.Message is ExpireLease { CommandResult: CommandResult.Applied };

    public override int Chars => context.Message switch
    {
        SubmitTask submit => submit.Task.Payload.Length,
        CompleteTask { Result: { } result } => result.Length,
        _ => 0,
    };

    protected override void SetResult(CommandResult commandResult)
    {
        if (context.Message is TaskCommand command)
            command.CommandResult = commandResult;
    }

    protected override Task SendAsync(GroupSlot slot)
    {
        SetResult(CommandResult.NotFound); // the result of a rolled-back run
        return next.Send(new GroupSagaContext<T>(context, this, slot));
    }
}

/// <summary>The saga context of a group: loads and inserts are answered from memory, saves only mark the slot.</summary>
internal sealed class GroupSagaContext<T>(ConsumeContext<T> context, GroupEntry entry, GroupSlot slot)
    : ConsumeContextScope<T>(context), SagaRepositoryContext<TaskState, T>
    where T : class
{
    private readonly ConsumeContext<T> _context = context;

    public Task<SagaConsumeContext<TaskState, T>> Insert(TaskState instance) =>
        entry.InsertsBlindly && slot.Task is null ? Work(instance) : Task.FromResult<SagaConsumeContext<TaskState, T>>(null!);

    public Task<SagaConsumeContext<TaskState, T>> Load(Guid correlationId) =>
        slot.Task is { } task && !IsGone(task) ? Work(task.Copy()) : Task.FromResult<SagaConsumeContext<TaskState, T>>(null!);

    public Task<SagaConsumeContext<TaskState, T>> Add(TaskState instance) => Work(instance);

    public Task Save(SagaConsumeContext<TaskState> context) => Keep(context.Saga);

    public Task Update(SagaConsumeContext<TaskState> context) => Keep(context.Saga);

    public Task Delete(SagaConsumeContext<TaskState> context) => throw new NotSupportedException("Tasks are deleted by retention only.");

    public Task Discard(SagaConsumeContext<TaskState> context) => Task.CompletedTask;

    public Task Undo(SagaConsumeContext<TaskState> context) => Task.CompletedTask;

    public Task<SagaConsumeContext<TaskState, TMessage>> CreateSagaConsumeContext<TMessage>(
        ConsumeContext<TMessage> consumeContext, TaskState instance, SagaConsumeContextMode mode)
        where TMessage : class =>
        Task.FromResult<SagaConsumeContext<TaskState,
        TMessage>>(new DefaultSagaConsumeContext<TaskState, TMessage>(consumeContext, instance));

    private Task<SagaConsumeContext<TaskState, T>> Work(TaskState instance) =>
        CreateSagaConsumeContext(_context, instance, SagaConsumeContextMode.Load);

    /// <summary>
    /// A deleted task does not exist for any caller although its row still does, nor does a task that the caller may not see. Its id stays
    /// taken.
    /// </summary>
    private bool IsGone(TaskState task) =>
        Message is TaskCommand command and not SubmitTask
            && (task.IsDeleted(command.At) || !command.Access.CanRead(task.Owner, task.Queue));

    private Task Keep(TaskState task)
    {
        if (Message is TaskCommand { CommandResult: not CommandResult.Applied })
            return Task.CompletedTask; // rejected or a duplicate: nothing changed
        slot.IsNew |= slot.Task is null;
        slot.IsChanged = true;
        slot.Task = task;
        return Task.CompletedTask;
    }
}
