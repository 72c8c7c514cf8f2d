using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>Status of a task.</summary>
public enum QueuedTaskStatus
{
    /// <summary>Waits until it is due or a worker claims it.</summary>
    Pending,

    /// <summary>A worker holds it.</summary>
    Running,

    /// <summary>An attempt failed; the next one is scheduled.</summary>
    Retrying,

    /// <summary>Ended with a result.</summary>
    Completed,

    /// <summary>Ended with an error.</summary>
    Failed,

    /// <summary>Cancelled on request.</summary>
    Cancelled,

    /// <summary>Not started before its expiry time.</summary>
    Expired,
}

/// <summary>A task as read from the server.</summary>
public sealed record TaskInfo
{
    /// <summary>Id of the task.</summary>
    public Guid Id { get; init; }

    /// <summary>Base name of the queue.</summary>
    public string Queue { get; init; } = "";

    /// <summary>Tier: 0 is online, 1..N offline.</summary>
    public int Tier { get; init; }

    /// <summary>Task name, which selects the processor.</summary>
    public string? Name { get; init; }

    /// <summary>Priority within its queue and tier.</summary>
    public Priority Priority { get; init; }

    /// <summary>Current status.</summary>
    public QueuedTaskStatus Status { get; init; }

    /// <summary>Attempts started so far.</summary>
    public int Attempt { get; init; }

    /// <summary>Maximum number of attempts per run.</summary>
    public int MaxAttempts { get; init; }

    /// <summary>See <see cref="NewTask.DedupeKey"/>.</summary>
    public string? DedupeKey { get; init; }

    /// <summary>See <see cref="NewTask.OrderingKey"/>.</summary>
    public string? OrderingKey { get; init; }

    /// <summary>See <see cref="NewTask.Tags"/>.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Whether it failed permanently and is kept as a dead letter of its queue.</summary>
    public bool DeadLetter { get; init; }

    /// <summary>The message its worker receives; <c>{"id","action","data","created_at"}</c> if this client enqueued it.</summary>
    public JsonElement Payload { get; init; }

    /// <summary>Result of a completed task.</summary>
    public JsonElement? Result { get; init; }

    /// <summary>Error of the last failed attempt.</summary>
    public string? Error { get; init; }

    /// <summary>Progress last reported by its worker.</summary>
    public JsonElement? Progress { get; init; }

    /// <summary>Worker of the last attempt.</summary>
    public string? Worker { get; init; }

    /// <summary>Name of the API key it was enqueued with; null if the server requires no keys.</summary>
    public string? Owner { get; init; }

    /// <summary>When it was accepted.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>Earliest start of the next attempt.</summary>
    public DateTimeOffset DueAt { get; init; }

    /// <summary>Expires if not started by this time.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>When the last attempt started.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When the lease of the running attempt expires unless a heartbeat renews it.</summary>
    public DateTimeOffset? LeaseUntil { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>Timeline, oldest step first; the queue's event policy decides which steps are recorded.</summary>
    public IReadOnlyList<TaskTimelineStep> Timeline { get; init; } = [];

    /// <summary>Whether it has ended.</summary>
    [JsonIgnore]
    public bool HasEnded =>
        Status is QueuedTaskStatus.Completed or QueuedTaskStatus.Failed or QueuedTaskStatus.Cancelled or QueuedTaskStatus.Expired;

    /// <summary>Deserializes the result; null if there is none.</summary>
    /// <exception cref="JsonException">The result does not match <typeparamref name="T"/>.</exception>
    /// <exception cref="TaskPayloadException">The result is encoded, and the client has no codec.</exception>
    public T? GetResult<T>(JsonTypeInfo<T> type)
    {
        if (Result is not { } result)
            return default;
        CodecEnvelope.DemandPlain(result, "result of the task");
        return result.Deserialize(type);
    }
}

/// <summary>A step of a task's timeline.</summary>
/// <param name="Event">submitted, started, completed, failed, retrying, snoozed, cancelled, expired, dispatched or overwritten.</param>
/// <param name="Attempt">Attempt number; 0 before the first.</param>
/// <param name="At">When it happened.</param>
/// <param name="DueAt">When the next attempt may start; null unless the task waits.</param>
/// <param name="Worker">Worker that ran the attempt.</param>
/// <param name="Error">Why the attempt failed.</param>
public sealed record TaskTimelineStep(string Event, int Attempt, DateTimeOffset At, DateTimeOffset? DueAt, string? Worker, string? Error);

/// <summary>Thrown when a task whose result is awaited ends without one.</summary>
/// <param name="task">The task.</param>
public sealed class TaskNotCompletedException(TaskInfo task)
    : Exception($"task {task.Id} is {task.Status.ToString().ToLowerInvariant()}{(task.Error is null ? "" : $": {task.Error}")}")
{
    /// <summary>The task in its final status.</summary>
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
