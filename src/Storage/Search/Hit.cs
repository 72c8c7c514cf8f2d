using System.Linq.Expressions;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Search;

/// <summary>A task that a search has found.</summary>
internal sealed class Hit
{
    /// <summary>Selects it.</summary>
    public static readonly Expression<Func<TaskState, Hit>> Of = t => new Hit
    {
        Id = t.CorrelationId,
        ListedAs = t.ListedAs ?? t.CorrelationId,
        Bytes = (TextSize.Of(t.Error) ?? 0) + (TextSize.Of(t.Progress) ?? 0),
        PayloadBytes = TextSize.Of(t.Payload) ?? 0,
    };

    public Guid Id { get; init; }

    /// <summary>The id under which it is listed.</summary>
    public Guid ListedAs { get; init; }

    /// <summary>Size of its error and progress.</summary>
    public long Bytes { get; init; }

    /// <summary>Size of its payload.</summary>
    public long PayloadBytes { get; init; }

    /// <summary>Selects what a page shows of it.</summary>
    public static Expression<Func<TaskState, TaskState>> Shown(bool payloads) => t => new TaskState
    {
        CorrelationId = t.CorrelationId,
        State = t.State,
        Queue = t.Queue,
        Tier = t.Tier,
        Priority = t.Priority,
        Name = t.Name,
        OrderingKey = t.OrderingKey,
        Payload = payloads ? t.Payload : "",
        Error = t.Error,
        Attempt = t.Attempt,
        MaxAttempts = t.MaxAttempts,
        Worker = t.Worker,
        CreatedAt = t.CreatedAt,
        DueAt = t.DueAt,
        StartedAt = t.StartedAt,
        FinishedAt = t.FinishedAt,
        BatchId = t.BatchId,
        Owner = t.Owner,
        Tags = t.Tags,
        ScheduleId = t.ScheduleId,
        Progress = t.Progress,
    };
}
