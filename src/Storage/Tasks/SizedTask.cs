using System.Linq.Expressions;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Tasks;

/// <summary>Position and size of a task of a page, before it is read.</summary>
internal sealed class SizedTask
{
    /// <summary>Selects position and size.</summary>
    public static readonly Expression<Func<TaskState, SizedTask>> Of = t => new SizedTask
    {
        Id = t.CorrelationId,
        ListedAs = t.ListedAs ?? t.CorrelationId,
        CreatedAt = t.CreatedAt,
        DueAt = t.DueAt,
        LeaseUntil = t.LeaseUntil,
        FinishedAt = t.FinishedAt,
        Bytes = (TextSize.Of(t.Payload) ?? 0) + (TextSize.Of(t.Result) ?? 0) + (TextSize.Of(t.Headers) ?? 0) + (TextSize.Of(t.Progress)
            ?? 0) + (TextSize.Of(t.Error) ?? 0),
    };

    /// <summary>Selects a task without its payload, headers, result, error and progress.</summary>
    public static readonly Expression<Func<TaskState, TaskState>> Textless = t => new TaskState
    {
        CorrelationId = t.CorrelationId,
        State = t.State,
        Queue = t.Queue,
        Tier = t.Tier,
        Priority = t.Priority,
        Name = t.Name,
        DedupeKey = t.DedupeKey,
        OrderingKey = t.OrderingKey,
        Attempt = t.Attempt,
        AttemptsLeft = t.AttemptsLeft,
        MaxAttempts = t.MaxAttempts,
        CreatedAt = t.CreatedAt,
        DueAt = t.DueAt,
        ExpiresAt = t.ExpiresAt,
        StartedAt = t.StartedAt,
        LeaseUntil = t.LeaseUntil,
        FinishedAt = t.FinishedAt,
        DeleteAt = t.DeleteAt,
        Dead = t.Dead,
        CompletionActions = t.CompletionActions,
        BatchId = t.BatchId,
        Owner = t.Owner,
        ClaimedBy = t.ClaimedBy,
    };

    public Guid Id { get; init; }

    /// <summary>The id under which it is listed.</summary>
    public Guid ListedAs { get; init; }

    public DateTime CreatedAt { get; init; }

    public DateTime DueAt { get; init; }

    public DateTime? LeaseUntil { get; init; }

    public DateTime? FinishedAt { get; init; }

    /// <summary>Total size of its texts in bytes.</summary>
    public long Bytes { get; init; }

    /// <summary>Its position in a list.</summary>
    public TaskCursor Cursor(TaskList list) =>
        TaskCursor.Of(list, new TaskState
        {
            CorrelationId = Id, CreatedAt = CreatedAt, DueAt = DueAt, LeaseUntil = LeaseUntil, FinishedAt = FinishedAt,
        });

    /// <summary>Takes tasks from the first on up to <paramref name="maxBytes"/>, but at least one.</summary>
    public static List<SizedTask> Cut(List<SizedTask> tasks, long maxBytes, out long bytes)
    {
        bytes = 0;
        for (var i = 0; i < tasks.Count; i++)
        {
            if (i > 0 && bytes + tasks[i].Bytes > maxBytes)
                return tasks[..i];
            bytes += tasks[i].Bytes;
        }

        return tasks;
    }
}
