using MassTransit;
using MassTransit.Context;

namespace TaskQueue.Engine.Tasks;

/// <summary>Raises the events of the state machine directly: a saga repository around each costs five times the transition.</summary>
internal sealed class TaskTransitions(TaskStateMachine machine)
{
    private static readonly TransitionContext Nowhere = new();

    /// <summary>Applies a command to a task in memory, and sets its result. A new task is in no state yet.</summary>
    public Task ApplyAsync(TaskState task, TaskCommand command) => command switch
    {
        SubmitTask submit => RaiseAsync(machine.Submit, task, submit),
        StartTask start => RaiseAsync(machine.Start, task, start),
        RenewLease renew => RaiseAsync(machine.Renew, task, renew),
        CompleteTask complete => RaiseAsync(machine.Complete, task, complete),
        FailTask fail => RaiseAsync(machine.Fail, task, fail),
        SnoozeTask snooze => RaiseAsync(machine.Snooze, task, snooze),
        ExpireLease expire => RaiseAsync(machine.LeaseExpiry, task, expire),
        DispatchTask dispatch => RaiseAsync(machine.Dispatch, task, dispatch),
        ExpireTask expire => RaiseAsync(machine.Expire, task, expire),
        CancelTask cancel => RaiseAsync(machine.Cancel, task, cancel),
        DeleteTask delete => RaiseAsync(machine.Delete, task, delete),
        RetryTask retry => RaiseAsync(machine.Retry, task, retry),
        ChangeTask change => RaiseAsync(machine.Change, task, change),
        _ => throw new ArgumentOutOfRangeException(nameof(command), command, "the machine has no event for it"),
    };

    private Task RaiseAsync<T>(Event<T> happened, TaskState task, T command)
        where T : TaskCommand
    {
        var message = new MessageConsumeContext<T>(Nowhere, command);
        return ((StateMachine<TaskState>)machine).RaiseEvent(new MassTransitStateMachine<TaskState>.BehaviorContextProxy<T>(
            machine, new DefaultSagaConsumeContext<TaskState, T>(message, task), message, happened));
    }
}
