using System.Diagnostics;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.GroupCommit;

/// <summary>A command waiting for its group.</summary>
internal sealed class GroupEntry(TaskCommand command, CommandList list, int place)
{
    private Exception? _fault;

    public TaskCommand Command => command;

    public Guid TaskId => command.CorrelationId;

    /// <summary>Timestamp of its arrival.</summary>
    public long Came { get; } = Stopwatch.GetTimestamp();

    /// <summary>Whether the row may be inserted without reading it first.</summary>
    public bool InsertsBlindly { get; set; } = command is SubmitTask;

    /// <summary>Whether it ended an attempt whose lease had expired.</summary>
    public bool HasExpired => command is ExpireLease { CommandResult: CommandResult.Applied };

    /// <summary>The failed attempt, if it ended one.</summary>
    public Failure? FailureOf(TaskState task) => Ended(task) is not { } failure ? null
        : command.Holder is { } worker ? failure with { Worker = new FailedWorker(worker, command.HolderCredential) }
        : failure;

    private Failure? Ended(TaskState task) => command switch
    {
        FailTask { CommandResult: CommandResult.Applied } failed => new Failure(
            task.Owner, task.Queue, task.Name, FailureKind.Error, failed.ErrorType, new FailureSample
            {
                TaskId = TaskId, Attempt = failed.Attempt, At = failed.At, Worker = failed.Worker ?? task.Worker, Error = failed.Error,
                Stack = failed.Stack,
            }),
        ExpireLease { CommandResult: CommandResult.Applied } => new Failure(
            task.Owner, task.Queue, task.Name, FailureKind.Crash, null, new FailureSample
            {
                TaskId = TaskId, Attempt = task.Attempt, At = command.At, Worker = task.Worker,
                Error = task.Error ?? $"lease of attempt {task.Attempt} expired",
            }),
        _ => null,
    };

    /// <summary>Characters of its texts.</summary>
    public int Chars => command.Chars;

    /// <summary>Runs the state machine on a copy; an exception discards the changes and fails only this entry.</summary>
    public async Task RunAsync(GroupSlot slot, TaskTransitions transitions)
    {
        _fault = null;
        command.CommandResult = CommandResult.NotFound; // the result of a rolled-back run
        try
        {
            var isNew = slot.Task is null;
            if (isNew ? command is not SubmitTask : IsGone(slot.Task!))
                return;
            var task = isNew ? ((SubmitTask)command).Task.Copy() : slot.Task!.Copy();
            (command.Holder, command.HolderCredential, command.Queue) = (task.Worker, task.ClaimedBy, task.Queue);
            await transitions.ApplyAsync(task, command);
            if (command.CommandResult != CommandResult.Applied)
                return; // rejected or a duplicate: nothing changed
            slot.IsNew |= isNew;
            slot.IsChanged = true;
            slot.Task = task;
        }
#pragma warning disable CA1031 // any exception belongs to this caller only
        catch (Exception fault)
#pragma warning restore CA1031
        {
            _fault = fault;
        }
    }

    public void Release() => list.Ended(place, _fault);

    public void Fail(Exception fault) => list.Ended(place, fault);

    /// <summary>Rejects the command because the database rejected its change.</summary>
    public void Refuse(CommandResult commandResult)
    {
        command.CommandResult = commandResult;
        list.Ended(place, null);
    }

    /// <summary>
    /// A deleted task does not exist for any caller although its row still does, nor does a task that the caller may not see. Its id stays
    /// taken.
    /// </summary>
    private bool IsGone(TaskState task) =>
        command is not SubmitTask && (task.IsDeleted(command.At) || !command.Access.CanRead(task.Owner, task.Queue));
}

/// <summary>The row shared by the commands of one task in a group, applied in sequence.</summary>
internal sealed class GroupSlot
{
    /// <summary>The row after the last successful command; null if there is none.</summary>
    public TaskState? Task { get; set; }

    public bool IsNew { get; set; }

    public bool IsChanged { get; set; }
}

/// <summary>Commands of one caller, who waits for all of them.</summary>
internal sealed class CommandList(int count)
{
    private readonly Exception?[] _faults = new Exception?[count];
    private readonly TaskCompletionSource<IReadOnlyList<Exception?>> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _left = count;

    /// <summary>Completes when all have ended, with the exception of each.</summary>
    public Task<IReadOnlyList<Exception?>> Ends => _ended.Task;

    public void Ended(int place, Exception? fault)
    {
        _faults[place] = fault;
        if (Interlocked.Decrement(ref _left) == 0)
            _ended.TrySetResult(_faults);
    }
}
