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

    /// <summary>The ordering keys of tasks, each once.</summary>
    public static List<OrderingKey> OrderingKeysOf(IEnumerable<TaskState> tasks) =>
        [.. tasks.Where(t => t.OrderingKey is not null).Select(t => new OrderingKey(t.Queue, t.OrderingKey!)).Distinct()];

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
