using System.Diagnostics;
using MassTransit;
using MassTransit.Context;
using MassTransit.Saga;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.GroupCommit;

/// <summary>One command that waits for its group.</summary>
internal abstract class GroupEntry(Guid taskId)
{
    private readonly TaskCompletionSource _committed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Exception? _fault;

    public Guid TaskId { get; } = taskId;

    /// <summary>When it came.</summary>
    public long Came { get; } = Stopwatch.GetTimestamp();

    /// <summary>Ends after the commit, or with the fault of this entry alone.</summary>
    public Task Committed => _committed.Task;

    /// <summary>Whether the row may be inserted without a look whether it exists.</summary>
    public bool InsertsBlindly { get; set; }

    /// <summary>Whether it ended an attempt whose lease had expired.</summary>
    public abstract bool HasExpired { get; }

    /// <summary>Length of its payload or result.</summary>
    public abstract int Chars { get; }

    /// <summary>Lets the machine work on a copy; a machine that throws changes nothing and fails only itself.</summary>
    public async Task RunAsync(GroupSlot slot)
    {
        _fault = null;
        try
        {
            await SendAsync(slot);
        }
#pragma warning disable CA1031 // whatever it is, it belongs to this caller alone
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

    /// <summary>The database refused what the machine had decided.</summary>
    public void Refuse(CommandResult commandResult)
    {
        SetResult(commandResult);
        _committed.TrySetResult();
    }

    protected abstract void SetResult(CommandResult commandResult);

    protected abstract Task SendAsync(GroupSlot slot);
}

/// <summary>The row that the commands of one task in a group share, one after the other.</summary>
internal sealed class GroupSlot
{
    /// <summary>The row as of the last command that succeeded; null while there is none.</summary>
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
        SetResult(CommandResult.NotFound); // what an earlier run said was rolled back
        return next.Send(new GroupSagaContext<T>(context, this, slot));
    }
}

/// <summary>What the saga pipe sees of a group: loads and inserts are answered from memory, saves only mark the slot.</summary>
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
    /// A deleted task does not exist for anybody, though its row still does, nor one of others for who may not see it. Its id
    /// stays taken.
    /// </summary>
    private bool IsGone(TaskState task) =>
        Message is TaskCommand command and not SubmitTask
            && (task.IsDeleted(command.At) || !command.Access.CanRead(task.Owner, task.Queue));

    private Task Keep(TaskState task)
    {
        if (Message is TaskCommand { CommandResult: not CommandResult.Applied })
            return Task.CompletedTask; // refused or a duplicate: nothing changed
        slot.IsNew |= slot.Task is null;
        slot.IsChanged = true;
        slot.Task = task;
        return Task.CompletedTask;
    }
}
