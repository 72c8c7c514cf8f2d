using MassTransit;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>Changes of a task beside its state.</summary>
public sealed partial class TaskStateMachine
{
    private static bool IsWanted(BehaviorContext<TaskState, DeleteTask> c) => !c.Message.OnlyEnded;

    /// <summary>Whoever deletes ended tasks only leaves alone what the result of a batch still needs.</summary>
    private static bool MayForgetEnded(BehaviorContext<TaskState, DeleteTask> c) =>
        !c.Message.OnlyEnded || c.Saga.BatchId is null || c.Saga.DeleteAt is not null;

    private static void ForgetEnded(BehaviorContext<TaskState, DeleteTask> c)
    {
        // An item of a batch that was written to a file goes when the batch has said.
        c.Saga.DeleteAt = DeleteTime(c.Saga, c.Message.At) ?? c.Saga.DeleteAt;
        c.Saga.Dead = false;
        c.Message.CommandResult = CommandResult.Applied;
    }

    /// <summary>A change that was made before is a duplicate, unless the task should have ended with it.</summary>
    private static void RefuseChange(BehaviorContext<TaskState, ChangeTask> c) =>
        c.Message.CommandResult = c.Message.Change!.IsMade && !c.Message.Ends ? CommandResult.Duplicate : CommandResult.NotAllowed;

    private static void RefuseChangeOfRunning(BehaviorContext<TaskState, ChangeTask> c) =>
        c.Message.CommandResult = !c.Message.Ends && c.Message.Change!.IsMadeOf(c.Saga) ? CommandResult.Duplicate
            : CommandResult.NotAllowed;

    private static void RefuseChangeOfCancelled(BehaviorContext<TaskState, ChangeTask> c) =>
        c.Message.CommandResult = c.Message.Ends && c.Message.Change!.IsMadeOf(c.Saga) ? CommandResult.Duplicate : CommandResult.Finished;

    /// <summary>A cancellation that was taken back before.</summary>
    private static void RefuseRetry(BehaviorContext<TaskState, RetryTask> c) =>
        c.Message.CommandResult = c.Message.Restores ? CommandResult.Duplicate : CommandResult.NotAllowed;

    /// <summary>It was changed and retried before, and has failed again.</summary>
    private static void RefuseRetryOfFailed(BehaviorContext<TaskState, RetryTask> c) =>
        c.Message.CommandResult = c.Message.With is { IsMade: true } ? CommandResult.Duplicate : CommandResult.NotAllowed;

    private static bool CanChange(BehaviorContext<TaskState, ChangeTask> c) => c.Message.Change!.CanApply(c.Saga);

    private static void ApplyChange(BehaviorContext<TaskState, ChangeTask> c)
    {
        var (task, at) = (c.Saga, c.Message.At);
        var moves = c.Message.Change!.Target is { } target && target.Name != task.Queue;
        if (moves) // on the timeline, and for the next task of its ordering key in the queue that it leaves
            task.Record(TaskEventType.Overwritten, at, frees: Frees(task));
        if (task.Push)
        {
            // Bus workers may already have been sent the task as it was: what they were sent becomes stale.
            task.Attempt++;
            (task.Worker, task.ClaimedBy, task.StartedAt) = (null, null, null);
        }

        Apply(task, c.Message.Change);
        if (moves)
            task.Blocked = task.OrderingKey is not null; // the store promotes the head
        var dispatch = task.Push && !task.Settings.Paused && task.DueAt <= at && !c.Message.Ends;
        task.DispatchAt = dispatch ? at + RedispatchAfter : task.Push ? task.DueAt : null;
        c.Message.CommandResult = CommandResult.Applied;
        task.Record(moves ? TaskEventType.Submitted : TaskEventType.Overwritten, at, dispatch, frees: moves && task.Blocked);
    }

    /// <summary>Payload and queue, as <see cref="TaskChange.CanApply"/> has found them.</summary>
    private static void Apply(TaskState task, TaskChange? change)
    {
        if (change?.NewPayload is { } payload)
            (task.Payload, task.IsEdited, task.Progress) = (payload, true, null); // a checkpoint is of the old payload
        if (change?.Target is not { } target || target.Name == task.Queue)
            return;
        task.MovedFrom = task.StoredQueue; // two commands of a group may move it
        task.Queue = target.Name;
        task.Push = target.Delivery == Delivery.Push;
        task.Settings = target.Settings;
    }
}
