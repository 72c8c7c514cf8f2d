using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>Effects of a group's changes on rows outside of it.</summary>
internal static class TaskChanges
{
    /// <summary>
    /// Ordering keys whose head must be promoted again: it left, waits longer, or a task returned. Also those of other waiting tasks:
    /// whoever promotes a head waits for their rows, so these are changed under the lock of the key too.
    /// </summary>
    public static List<OrderingKey> Promotable(IEnumerable<TaskState> updates) =>
        OrderingKeysOf(updates.Where(t => t.Events.Any(e => e.ReleasesCapacity)
            || (t.Blocked && t.Events.Any(e => e.Type == TaskEventType.Submitted))
            || (t.Row is { } row && TaskMove.TableOf(row.State) == TaskTable.Ready)));

    /// <summary>The ordering keys of tasks, each once; of a task that moves to another queue in both.</summary>
    public static List<OrderingKey> OrderingKeysOf(IEnumerable<TaskState> tasks) => [.. Each(tasks).Distinct()];

    private static IEnumerable<OrderingKey> Each(IEnumerable<TaskState> tasks)
    {
        foreach (var task in tasks)
        {
            if (task.OrderingKey is not { } key)
                continue;
            yield return new OrderingKey(task.Queue, key);
            if (task.MovedFrom is { } former)
                yield return new OrderingKey(former, key);
        }
    }

    /// <summary>Tasks with a new payload.</summary>
    public static List<TaskState> Edited(IEnumerable<TaskState> updates) => [.. updates.Where(t => t.IsEdited)];

    /// <summary>Tasks that move to another queue.</summary>
    public static List<TaskState> Moved(IEnumerable<TaskState> updates) => [.. updates.Where(t => t.MovedFrom is not null)];

    /// <summary>Those that take their dedupe key along; one that waits again, or ends, takes or releases it by itself.</summary>
    public static List<TaskState> MovedKeys(IEnumerable<TaskState> moved) =>
        [.. moved.Where(t => t.DedupeKey is not null && t.Row is { } row && TaskMove.TableOf(row.State) == TaskTable.Ready
            && TaskMove.TableOf(t.State) == TaskTable.Ready)];

    /// <summary>Whether a command has changed more of a task than its state.</summary>
    public static bool IsChanged(TaskState task) => task.IsEdited || task.MovedFrom is not null;

    /// <summary>The ordering keys of tasks of one queue, each once.</summary>
    public static List<OrderingKey> OrderingKeysOf(string queue, IEnumerable<string?> keys) =>
        [.. keys.OfType<string>().Distinct(StringComparer.Ordinal).Select(k => new OrderingKey(queue, k))];

    /// <summary>A new dead letter of each queue with a limit on dead letters, in the order in which all transactions lock queues.</summary>
    public static IEnumerable<TaskState> FullQueues(IEnumerable<TaskState> updates) =>
        updates.Where(t => t.Dead && t.Settings.DeadLetters.MaxSize > 0 && t.Events.Any(e => e.Type == TaskEventType.Failed))
            .DistinctBy(t => t.Queue).OrderBy(t => t.Queue, StringComparer.Ordinal);

    /// <summary>Due callbacks: of completed tasks with a callback URL.</summary>
    public static IReadOnlyList<DueCallback> DueCallbacks(IEnumerable<TaskState> updates) =>
        [.. updates.Where(t => t.State == TaskStates.Completed && t.Events.Any(e => e.CallbackDue))
            .Select(t => new DueCallback(
                t.CorrelationId, CompletionActionsJson.Of(t)!.CallbackUrl!, t.Result ?? "null", t.FinishedAt!.Value, t.Owner))];
}

/// <summary>A due callback.</summary>
internal sealed record DueCallback(Guid SubjectId, string Url, string Body, DateTime At, string? Owner)
{
    /// <summary>The receiver.</summary>
    public string Origin { get; } = CallbackOrigin.Of(Url);
}

/// <summary>An ordering key of a queue.</summary>
internal readonly record struct OrderingKey(string Queue, string Key);
