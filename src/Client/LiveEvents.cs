using System.Text.Json.Serialization;

namespace TaskQueue.Client;

/// <summary>A step in the life of a task, as it happens.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Queue">Its queue.</param>
/// <param name="Level">Its level.</param>
/// <param name="Name">Which handler it asks for; null where the server does not say.</param>
/// <param name="Attempt">The attempt, from 1; 0 before the first.</param>
/// <param name="At">When it happened.</param>
/// <param name="DueAt">When the task may run (again); null where it has ended or runs.</param>
/// <param name="Worker">Who ran the attempt, where somebody did.</param>
/// <param name="Error">What went wrong, where something did.</param>
public sealed record LiveEvent(
    Guid TaskId, string Queue, int Level, string? Name, int Attempt, DateTimeOffset At, DateTimeOffset? DueAt, string? Worker, string? Error)
{
    /// <summary>What happened: <c>submitted</c>, <c>started</c>, <c>completed</c>, <c>failed</c>, <c>retrying</c>, <c>cancelled</c>, <c>expired</c>, or a later server's word.</summary>
    [JsonIgnore]
    public string Type { get; init; } = "";

    /// <summary>Its place among all events: <see cref="LiveEventQuery.After"/> goes on behind it.</summary>
    [JsonIgnore]
    public string Cursor { get; init; } = "";
}

/// <summary>Which events to receive.</summary>
public sealed record LiveEventQuery
{
    /// <summary>Only those of these queues; empty is all that the key may see.</summary>
    public IReadOnlyList<string> Queues { get; init; } = [];

    /// <summary>The cursor of an event to go on behind; null begins with what happens from now on.</summary>
    public string? After { get; init; }

    /// <summary>Called with what went wrong each time the connection is lost and about to be made again.</summary>
    public Action<TaskQueueException>? Lost { get; init; }
}

/// <summary>What became of the dead letters of a queue.</summary>
/// <param name="Restarted">So many wait again.</param>
/// <param name="Skipped">So many stay, because another task that waits or runs has their dedupe key.</param>
public sealed record RedriveResult(int Restarted, int Skipped);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(LiveEvent))]
[JsonSerializable(typeof(RedriveResult))]
[JsonSerializable(typeof(System.Text.Json.JsonElement))]
internal sealed partial class OperationsJson : JsonSerializerContext;
