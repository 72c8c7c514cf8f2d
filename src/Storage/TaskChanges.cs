using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>What the changes of a group mean for rows outside of it.</summary>
internal static class TaskChanges
{
    /// <summary>Ordering keys whose head must be found again: it left, waits longer, or a task came back.</summary>
    public static IReadOnlyCollection<OrderingKey> OrderingKeysOf(IEnumerable<TaskState> updates) =>
        [.. updates.Where(t => t.OrderingKey is not null
            && (t.Events.Any(e => e.Frees) || (t.Blocked && t.Events.Any(e => e.Type == TaskEventType.Submitted))))
            .Select(t => new OrderingKey(t.Queue, t.OrderingKey!)).Distinct()];

    /// <summary>A new dead letter of each queue whose dead letters have a limit, in the order in which everybody locks queues.</summary>
    public static IEnumerable<TaskState> FullQueues(IEnumerable<TaskState> updates) =>
        updates.Where(t => t.Dead && t.Settings.DeadLetters.MaxSize > 0 && t.Events.Any(e => e.Type == TaskEventType.Failed))
            .DistinctBy(t => t.Queue).OrderBy(t => t.Queue, StringComparer.Ordinal);

    /// <summary>Callbacks that are owed: a task completed, and somebody wants its result.</summary>
    public static IReadOnlyList<DueCallback> DueCallbacks(IEnumerable<TaskState> updates) =>
        [.. updates.Where(t => t.State == TaskStates.Completed && t.Events.Any(e => e.CallbackDue))
            .Select(t =>
                new DueCallback(t.CorrelationId, CompletionActionsJson.Of(t)!.CallbackUrl!, t.Result
                    ?? "null", t.FinishedAt!.Value, t.Owner))];
}

/// <summary>A result that is owed to a URL.</summary>
internal sealed record DueCallback(Guid SubjectId, string Url, string Body, DateTime At, string? Owner)
{
    /// <summary>The receiver.</summary>
    public string Origin { get; } = CallbackOrigin.Of(Url);
}

/// <summary>An ordering key of a queue.</summary>
internal readonly record struct OrderingKey(string Queue, string Key);
