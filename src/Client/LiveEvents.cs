using System.Text.Json.Serialization;

namespace TaskQueue.Client;

/// <summary>A live task event.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Queue">Its queue.</param>
/// <param name="Tier">Its tier.</param>
/// <param name="Name">Task name, which selects the handler; null if the server does not report it.</param>
/// <param name="Attempt">Attempt number, from 1; 0 before the first.</param>
/// <param name="At">When it happened.</param>
/// <param name="DueAt">When the task may run (again); null while it runs and after it has ended.</param>
/// <param name="Worker">Worker that ran the attempt; null if none did.</param>
/// <param name="Error">Why the attempt failed; null if it did not.</param>
public sealed record LiveEvent(
    Guid TaskId, string Queue, int Tier, string? Name, int Attempt, DateTimeOffset At, DateTimeOffset? DueAt, string? Worker, string? Error)
{
    /// <summary>
    /// Event type: <c>submitted</c>, <c>started</c>, <c>completed</c>, <c>failed</c>, <c>retrying</c>, <c>cancelled</c>, <c>expired</c>,
    /// or a type that a later server adds.
    /// </summary>
    [JsonIgnore]
    public string Type { get; init; } = "";

    /// <summary>Position in the event stream; pass it to <see cref="LiveEventQuery.After"/> to resume after this event.</summary>
    [JsonIgnore]
    public string Cursor { get; init; } = "";
}

/// <summary>Which events to receive.</summary>
public sealed record LiveEventQuery
{
    /// <summary>Queues to receive events from; empty means all that the key may read.</summary>
    public IReadOnlyList<string> Queues { get; init; } = [];

    /// <summary>Cursor of the event to resume after; null starts with new events.</summary>
    public string? After { get; init; }

    /// <summary>Called with the cause each time the connection is lost, before it is reopened.</summary>
    public Action<TaskQueueException>? Lost { get; init; }
}

/// <summary>Result of redriving the dead letters of a queue.</summary>
/// <param name="Restarted">Number of tasks requeued.</param>
/// <param name="Skipped">Number of tasks left, because a waiting or running task has the same dedupe key.</param>
public sealed record RedriveResult(int Restarted, int Skipped);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(LiveEvent))]
[JsonSerializable(typeof(RedriveResult))]
[JsonSerializable(typeof(System.Text.Json.JsonElement))]
internal sealed partial class OperationsJson : JsonSerializerContext;
