using System.Text.Json.Serialization;

namespace TaskQueue.Client;

/// <summary>A queue.</summary>
/// <param name="Name">Base name.</param>
/// <param name="Delivery"><c>pull</c> (workers claim) or <c>push</c> (dispatched to bus workers).</param>
/// <param name="Version">Number of settings changes; 0 for an undeclared queue, which has the defaults.</param>
/// <param name="Description">Free text.</param>
/// <param name="Paused">Whether the queue is paused: no tasks are handed out.</param>
/// <param name="MaxRunning">Concurrency limit of the queue; 0 is unlimited.</param>
/// <param name="Counts">Task counts; null in lists.</param>
public sealed record QueueInfo(string Name, string Delivery, int Version, string Description, bool Paused, int MaxRunning,
    QueueStats? Counts)
{
    /// <summary>
    /// All its settings. To change one: <c>DeclareQueueAsync(name, queue.Settings with { MaxRunning = 5 })</c>, which is refused if the
    /// queue was changed since it was read.
    /// </summary>
    public QueueDeclaration Settings { get; init; } = new();

    /// <summary>When it was declared; null for an undeclared queue.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>When its settings were changed last; null for an undeclared queue.</summary>
    public DateTimeOffset? UpdatedAt { get; init; }
}

/// <summary>Task counts of a queue across all tiers.</summary>
/// <param name="Waiting">Waiting tasks, due or not.</param>
/// <param name="Running">Tasks held by a worker.</param>
/// <param name="DeadLetters">Tasks that failed permanently.</param>
/// <param name="Completed">Tasks completed since the last purge.</param>
/// <param name="Expired">Tasks expired since the last purge.</param>
/// <param name="OldestWaitingSeconds">Age in seconds of the oldest due task; null if none is due.</param>
public sealed record QueueStats(long Waiting, long Running, long DeadLetters, long Completed, long Expired, double? OldestWaitingSeconds)
{
    /// <summary>Waiting tasks that are not due yet; included in <see cref="Waiting"/>.</summary>
    public long Later { get; init; }
}

internal sealed record QueueListAnswer(IReadOnlyList<QueueAnswer> Queues);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true)]
[JsonSerializable(typeof(QueueAnswer))]
[JsonSerializable(typeof(QueueListAnswer))]
internal sealed partial class QueueJson : JsonSerializerContext;
