using System.Text.Json.Serialization;

namespace TaskQueue.Client;

/// <summary>A queue.</summary>
/// <param name="Name">Base name.</param>
/// <param name="Delivery"><c>pull</c> (workers claim) or <c>push</c> (dispatched to bus workers).</param>
/// <param name="Version">Counts the changes of its settings; 0 where nobody declared it, and it has the defaults.</param>
/// <param name="Description">For people.</param>
/// <param name="Paused">Whether nothing is handed out.</param>
/// <param name="MaxRunning">At most so many of its tasks run at once; 0 is unlimited.</param>
/// <param name="Counts">What it holds; null in lists.</param>
public sealed record QueueInfo(string Name, string Delivery, int Version, string Description, bool Paused, int MaxRunning, QueueStats? Counts);

/// <summary>What a queue holds, all levels together.</summary>
/// <param name="Waiting">Tasks that wait, due or not.</param>
/// <param name="Running">Tasks that a worker has.</param>
/// <param name="DeadLetters">Tasks that failed for good.</param>
/// <param name="Completed">Tasks that completed, since the last purge.</param>
/// <param name="Expired">Tasks that expired, since the last purge.</param>
/// <param name="OldestWaitingSeconds">For how long the oldest due task has waited; null where none does.</param>
public sealed record QueueStats(long Waiting, long Running, long DeadLetters, long Completed, long Expired, double? OldestWaitingSeconds);

internal sealed record QueueListAnswer(IReadOnlyList<QueueInfo> Queues);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(QueueInfo))]
[JsonSerializable(typeof(QueueListAnswer))]
internal sealed partial class QueueJson : JsonSerializerContext;
