using MassTransit;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>Changes of a task beside its state.</summary>
public sealed partial class TaskStateMachine
{
    private static bool IsWanted(BehaviorContext<TaskState, DeleteTask> c) => !c.Message.OnlyEnded;

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
        var dispatch = task.Push && !task.Settings.Paused && task.DueAt <= at;
        task.DispatchAt = dispatch ? at + RedispatchAfter : task.Push ? task.DueAt : null;
        c.Message.CommandResult = CommandResult.Applied;
        task.Record(moves ? TaskEventType.Submitted : TaskEventType.Overwritten, at, dispatch, frees: moves && task.Blocked);
    }

    /// <summary>Payload and queue, as <see cref="TaskChange.CanApply"/> has found them.</summary>
    private static void Apply(TaskState task, TaskChange? change)
    {
        if (change?.NewPayload is { } payload)
            (task.Payload, task.IsEdited) = (payload, true);
        if (change?.Target is not { } target || target.Name == task.Queue)
            return;
        task.MovedFrom = task.StoredQueue; // two commands of a group may move it
        task.Queue = target.Name;
        task.Push = target.Delivery == Delivery.Push;
        task.Settings = target.Settings;
    }
}
