using System.Text;
using System.Text.Json;
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
            Payload = patch is null ? null : payload => Patched(task, patch, payload, maxBytes),
            Chars = task.FormerPayload?.Length ?? 0,
        };
        return task.FormerState == TaskStates.Failed ? new RetryTask(task.TaskId, now) { With = change }
            : new ChangeTask(task.TaskId, now, change);
    }

    /// <summary>The command that puts a task back; one that had failed ends by it, or nothing of it is changed.</summary>
    public static TaskCommand Undo(
        BulkOperation operation, BulkOperationTask task, TargetQueue? former, JsonPatch? patch, int maxBytes, DateTime now)
    {
        if (operation.Action is BulkAction.Retry)
            return new CancelTask(task.TaskId, now) { OnlyWaiting = true };
        if (operation.Action is BulkAction.Cancel)
            return new RetryTask(task.TaskId, now) { Restores = true };
        return new ChangeTask(task.TaskId, now, new TaskChange
        {
            Target = former,
            From = former is null ? null : operation.TargetQueue,
            Payload = patch is null ? null : payload => Restored(task, patch, payload, maxBytes),
            Chars = task.FormerPayload?.Length ?? 0,
        })
        {
            Ends = task.FormerState == TaskStates.Failed,
        };
    }

    /// <summary>Whether a task of an interrupted step has been changed already.</summary>
    /// <param name="operation">The operation.</param>
    /// <param name="task">As it was.</param>
    /// <param name="now">As it is, with its payload if that is changed; null if it is gone.</param>
    /// <param name="patch">What is changed of its payload.</param>
    /// <param name="maxBytes">Most bytes of a payload.</param>
    public static bool IsDone(BulkOperation operation, BulkOperationTask task, TaskState? now, JsonPatch? patch, int maxBytes) =>
        operation.Action switch
        {
            BulkAction.Retry => now is not null && HasRunAgain(task, now),
            BulkAction.Cancel => now?.State == TaskStates.Cancelled,
            BulkAction.Delete => now is null,
            BulkAction.Move => now?.Queue == operation.TargetQueue,
            _ => now is not null && patch is not null && IsPatched(task, now, patch, maxBytes),
        };

    /// <summary>Whether a task that had ended runs again, or has ended again.</summary>
    private static bool HasRunAgain(BulkOperationTask task, TaskState now) =>
        !Repeatable.Contains(now.State) || now.FinishedAt != task.FormerFinishedAt;

    /// <summary>A patch may leave a payload as it is, so what had failed must also have been retried.</summary>
    private static bool IsPatched(BulkOperationTask task, TaskState now, JsonPatch patch, int maxBytes)
    {
        try
        {
            return now.Payload == Patched(task, patch, maxBytes)
                && (task.FormerState != TaskStates.Failed || HasRunAgain(task, now));
        }
        catch (InvalidTaskChangeException)
        {
            return false;
        }
    }

    /// <summary>The payload as it was selected, patched; null for one that this operation has patched before.</summary>
    private static string? Patched(BulkOperationTask task, JsonPatch patch, string payload, int maxBytes) =>
        payload == task.FormerPayload ? Patched(task, patch, maxBytes)
        : payload == Patched(task, patch, maxBytes) ? null
        : throw new InvalidTaskChangeException("its payload was changed since it was selected");

    private static string Patched(BulkOperationTask task, JsonPatch patch, int maxBytes)
    {
        try
        {
            var patched = patch.Apply(task.FormerPayload!, maxBytes);
            if (!TaskMessage.NamesTheSame(patched, task.FormerPayload!, task.TaskId))
                throw new InvalidTaskChangeException("id and action of its message are those of the task: patch what is below /data");
            return Encoding.UTF8.GetByteCount(patched) <= maxBytes ? patched
                : throw new InvalidTaskChangeException($"the patched payload would have more than {maxBytes} bytes");
        }
        catch (InvalidPatchException refused)
        {
            throw new InvalidTaskChangeException(refused.Message);
        }
        catch (JsonException)
        {
            throw new InvalidTaskChangeException("the patched payload would have too many levels");
        }
    }

    /// <summary>The payload as it was; null for one that was put back before.</summary>
    private static string? Restored(BulkOperationTask task, JsonPatch patch, string payload, int maxBytes) =>
        Patched(task, patch, maxBytes) == payload ? task.FormerPayload
            : payload == task.FormerPayload ? null
            : throw new InvalidTaskChangeException("its payload was changed since");
}
