using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>Where a task is in its life.</summary>
public enum QueuedTaskStatus
{
    /// <summary>Waits for its time or a worker.</summary>
    Pending,

    /// <summary>A worker has it.</summary>
    Running,

    /// <summary>An attempt failed; the next one waits for its time.</summary>
    Retrying,

    /// <summary>Ended with a result.</summary>
    Completed,

    /// <summary>Ended with an error.</summary>
    Failed,

    /// <summary>Ended by somebody's wish.</summary>
    Cancelled,

    /// <summary>Not started in time.</summary>
    Expired,
}

/// <summary>A task as the server has it.</summary>
public sealed record TaskInfo
{
    /// <summary>Its id.</summary>
    public Guid Id { get; init; }

    /// <summary>Base name of its queue.</summary>
    public string Queue { get; init; } = "";

    /// <summary>0 is online, 1..N offline.</summary>
    public int Level { get; init; }

    /// <summary>Which processor runs it.</summary>
    public string? Name { get; init; }

    /// <summary>Order among the tasks of its queue and level.</summary>
    public Priority Priority { get; init; }

    /// <summary>Where it is in its life.</summary>
    public QueuedTaskStatus Status { get; init; }

    /// <summary>Attempts started so far.</summary>
    public int Attempt { get; init; }

    /// <summary>Attempts that a run has.</summary>
    public int MaxAttempts { get; init; }

    /// <summary>See <see cref="NewTask.DedupeKey"/>.</summary>
    public string? DedupeKey { get; init; }

    /// <summary>See <see cref="NewTask.ThreadId"/>.</summary>
    public string? ThreadId { get; init; }

    /// <summary>Whether it failed for good and is kept as a dead letter of its queue.</summary>
    public bool DeadLetter { get; init; }

    /// <summary>The message that its worker gets: of this client <c>{"id","action","data","created_at"}</c>.</summary>
    public JsonElement Payload { get; init; }

    /// <summary>Result of a completed task.</summary>
    public JsonElement? Result { get; init; }

    /// <summary>Why the last failed attempt failed.</summary>
    public string? Error { get; init; }

    /// <summary>What its worker last said of how far it is.</summary>
    public JsonElement? Progress { get; init; }

    /// <summary>Who runs or ran the last attempt.</summary>
    public string? Worker { get; init; }

    /// <summary>Name of the key that it was enqueued with; null where the server needs none.</summary>
    public string? Owner { get; init; }

    /// <summary>When it was accepted.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>Not run earlier.</summary>
    public DateTimeOffset DueAt { get; init; }

    /// <summary>Not started at or after this time.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>When the last attempt began.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When the running attempt is given up without a heartbeat.</summary>
    public DateTimeOffset? LeaseUntil { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>What happened to it, oldest first; what the policy of its queue lets be written.</summary>
    public IReadOnlyList<TaskTimelineStep> Timeline { get; init; } = [];

    /// <summary>Whether it has ended.</summary>
    [JsonIgnore]
    public bool HasEnded => Status is QueuedTaskStatus.Completed or QueuedTaskStatus.Failed or QueuedTaskStatus.Cancelled or QueuedTaskStatus.Expired;

    /// <summary>The result as a value; null where there is none.</summary>
    /// <exception cref="JsonException">It is of another shape.</exception>
    /// <exception cref="TaskPayloadException">It is encoded, and the client has no codec.</exception>
    public T? GetResult<T>(JsonTypeInfo<T> type)
    {
        if (Result is not { } result)
            return default;
        CodecEnvelope.DemandPlain(result, "result of the task");
        return result.Deserialize(type);
    }
}

/// <summary>A step in the life of a task.</summary>
/// <param name="Event">submitted, started, completed, failed, retrying, snoozed, cancelled, expired, dispatched or overwritten.</param>
/// <param name="Attempt">The attempt; 0 before the first.</param>
/// <param name="At">When it happened.</param>
/// <param name="DueAt">When the task may run next, where it waits.</param>
/// <param name="Worker">Who ran the attempt.</param>
/// <param name="Error">Why it failed.</param>
public sealed record TaskTimelineStep(string Event, int Attempt, DateTimeOffset At, DateTimeOffset? DueAt, string? Worker, string? Error);

/// <summary>A task whose result was waited for ended without one.</summary>
/// <param name="task">The task.</param>
public sealed class TaskNotCompletedException(TaskInfo task)
    : Exception($"task {task.Id} is {task.Status.ToString().ToLowerInvariant()}{(task.Error is null ? "" : $": {task.Error}")}")
{
    /// <summary>The task as it ended.</summary>
    public TaskInfo Task { get; } = task;
}

internal sealed record QueuedAnswer(Guid Id, string Status);

internal sealed record ManyQueuedAnswer(IReadOnlyList<Guid> Ids, IReadOnlyList<string> Results);

internal sealed record ChangedAnswer(Guid Id, string Status);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true)]
[JsonSerializable(typeof(TaskInfo))]
[JsonSerializable(typeof(QueuedAnswer))]
[JsonSerializable(typeof(ManyQueuedAnswer))]
[JsonSerializable(typeof(ChangedAnswer))]
internal sealed partial class TaskJson : JsonSerializerContext;
