using System.Text.Json.Serialization;

namespace TaskQueue.Client;

/// <summary>Which tasks of a queue are listed.</summary>
public enum QueueTaskList
{
    /// <summary>Those that wait or run, and dead letters.</summary>
    Live,

    /// <summary>Those that wait, due or not.</summary>
    Waiting,

    /// <summary>Those that a worker holds.</summary>
    Running,

    /// <summary>Dead letters.</summary>
    Dead,
}

/// <summary>How many tasks of a queue should run at once: see docs/scaling.md.</summary>
public sealed record QueueScaling
{
    /// <summary>Base name of the queue.</summary>
    public string Queue { get; init; } = "";

    /// <summary>The tier; null is all.</summary>
    public int? Tier { get; init; }

    /// <summary>Tasks that should run at once now; 0 for an idle or unknown queue.</summary>
    public int Slots { get; init; }

    /// <summary>Waiting tasks that are due.</summary>
    public long Due { get; init; }

    /// <summary>Waiting tasks that are not due yet.</summary>
    public long Later { get; init; }

    /// <summary>Waiting tasks behind others with their ordering key.</summary>
    public long Blocked { get; init; }

    /// <summary>Tasks that a worker holds.</summary>
    public long Running { get; init; }

    /// <summary>For how long the oldest due task has waited.</summary>
    public double OldestAgeSeconds { get; init; }

    /// <summary>Tasks that end in a second; null if unknown.</summary>
    public double? FinishedPerSecond { get; init; }

    /// <summary>Tasks that arrive in a second; null if unknown.</summary>
    public double? ArrivedPerSecond { get; init; }

    /// <summary>How long a task runs; null if unknown.</summary>
    public double? RunSeconds { get; init; }

    /// <summary>Whether the queue is paused.</summary>
    public bool Paused { get; init; }

    /// <summary>Time within which the due tasks should have run.</summary>
    public double WithinSeconds { get; init; }
}

internal sealed record QueueTasksAnswer(IReadOnlyList<FoundTask> Tasks, string? Next);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true)]
[JsonSerializable(typeof(QueueTasksAnswer))]
[JsonSerializable(typeof(QueueScaling))]
internal sealed partial class QueueTaskJson : JsonSerializerContext;
