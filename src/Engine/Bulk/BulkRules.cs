using System.Text;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Bulk;

/// <summary>Which tasks an action changes, and the commands that do it: those of single tasks.</summary>
internal static class BulkRules
{
    private static readonly int[] Live = [TaskStates.Pending, TaskStates.Running, TaskStates.Retrying];

    private static readonly int[] Ended = [TaskStates.Completed, TaskStates.Failed, TaskStates.Cancelled, TaskStates.Expired];

    private static readonly int[] Changeable = [TaskStates.Pending, TaskStates.Retrying, TaskStates.Failed];

    private static readonly int[] Repeatable = [TaskStates.Failed, TaskStates.Cancelled];

    /// <summary>States in which an action changes a task.</summary>
    public static IReadOnlyList<int> StatesOf(BulkAction action) => action switch
    {
        BulkAction.Retry => Repeatable,
        BulkAction.Cancel => Live,
        BulkAction.Delete => Ended,
        _ => Changeable,
    };

    /// <summary>A search for the tasks that an action can change, of those that another finds; null if there can be none.</summary>
    public static TaskSearch? Narrow(TaskSearch search, BulkAction action)
    {
        var possible = StatesOf(action);
        IReadOnlyList<int> states = search.States.Count == 0 ? possible
            : [.. search.States.Where(s => possible.Contains(s == TaskSearch.Scheduled ? TaskStates.Pending : s))];
        return states.Count == 0 ? null : search with { States = states };
    }

    /// <summary>The command that changes a task.</summary>
    public static TaskCommand Command(BulkOperation operation, BulkOperationTask task, TargetQueue? target, JsonPatch? patch, int maxBytes,
        DateTime now)
    {
        if (operation.Action is BulkAction.Retry)
            return new RetryTask(task.TaskId, now);
        if (operation.Action is BulkAction.Cancel)
            return new CancelTask(task.TaskId, now);
        if (operation.Action is BulkAction.Delete)
            return new DeleteTask(task.TaskId, now) { OnlyEnded = true };
        var change = new TaskChange
        {
            Target = target,
            Payload = patch is null ? null : payload => Patched(patch, payload, maxBytes),
            Chars = task.FormerPayload?.Length ?? 0,
        };
        return task.FormerState == TaskStates.Failed ? new RetryTask(task.TaskId, now) { With = change }
            : new ChangeTask(task.TaskId, now, change);
    }

    /// <summary>The commands that put a task back, of which the first must succeed.</summary>
    public static IReadOnlyList<TaskCommand> Undo(
        BulkOperation operation, BulkOperationTask task, TargetQueue? former, JsonPatch? patch, int maxBytes, DateTime now)
    {
        var stop = new CancelTask(task.TaskId, now) { OnlyWaiting = true };
        if (operation.Action is BulkAction.Retry)
            return [stop];
        if (operation.Action is BulkAction.Cancel)
            return [new RetryTask(task.TaskId, now)];
        var change = new ChangeTask(task.TaskId, now, new TaskChange
        {
            Target = former,
            From = former is null ? null : operation.TargetQueue,
            Payload = patch is null ? null : payload => Restored(task, patch, payload, maxBytes),
            Chars = task.FormerPayload?.Length ?? 0,
        });
        return task.FormerState == TaskStates.Failed ? [change, stop] : [change];
    }

    /// <summary>Whether a task of an interrupted step has been changed already.</summary>
    /// <param name="operation">The operation.</param>
    /// <param name="task">As it was.</param>
    /// <param name="now">As it is, with its payload if that is changed; null if it is gone.</param>
    public static bool IsDone(BulkOperation operation, BulkOperationTask task, TaskState? now) => operation.Action switch
    {
        BulkAction.Retry => now is not null && !Repeatable.Contains(now.State),
        BulkAction.Cancel => now?.State == TaskStates.Cancelled,
        BulkAction.Delete => now is null,
        BulkAction.Move => now?.Queue == operation.TargetQueue,
        _ => now is not null && (now.Payload != task.FormerPayload
            || (task.FormerState == TaskStates.Failed && now.State != TaskStates.Failed)),
    };

    private static string Patched(JsonPatch patch, string payload, int maxBytes)
    {
        try
        {
            var patched = patch.Apply(payload, maxBytes);
            return Encoding.UTF8.GetByteCount(patched) <= maxBytes ? patched
                : throw new InvalidTaskChangeException($"the patched payload would have more than {maxBytes} bytes");
        }
        catch (InvalidPatchException refused)
        {
            throw new InvalidTaskChangeException(refused.Message);
        }
    }

    private static string Restored(BulkOperationTask task, JsonPatch patch, string payload, int maxBytes) =>
        Patched(patch, task.FormerPayload!, maxBytes) == payload ? task.FormerPayload!
            : throw new InvalidTaskChangeException("its payload was changed since");
}
