using System.Text.Json.Serialization;

namespace TaskQueue.Client;

/// <summary>A line that a worker logged while it ran a task.</summary>
public sealed record TaskLogLine
{
    /// <summary>The attempt that logged it.</summary>
    public int Attempt { get; init; }

    /// <summary>When, by the worker's clock.</summary>
    public DateTimeOffset At { get; init; }

    /// <summary>Severity.</summary>
    public TaskLogLevel Level { get; init; }

    /// <summary>The text.</summary>
    public string Message { get; init; } = "";
}

internal sealed record TaskLogAnswer(IReadOnlyList<TaskLogLine> Entries, string? NextCursor);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true)]
[JsonSerializable(typeof(TaskLogAnswer))]
internal sealed partial class TaskLogJson : JsonSerializerContext;
