using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Api.Tasks;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Queues;

/// <summary>
/// PUT /queues/{name}: all settings; what is left out gets its default. What GET shows besides may be sent back and is not
/// read; a member that is neither is refused, because a slip of the pen would reset a setting.
/// </summary>
/// <param name="Delivery"><c>pull</c> (workers claim; the default) or <c>push</c> (dispatched to bus workers). Cannot be changed.</param>
/// <param name="Description">For people; at most 1,024 characters.</param>
/// <param name="LeaseSeconds">Lease of its tasks where neither claim nor task says it; default 15.</param>
/// <param name="ExpireAfterSeconds">Default and ceiling of a task's expiry, from its scheduled time; default never.</param>
/// <param name="MaxAttempts">Attempts of a run; default one more than there are retry intervals, else 4.</param>
/// <param name="Retry">How failed attempts are tried again; default 2, 4, 8 … seconds.</param>
/// <param name="MaxRunning">At most so many tasks run at once; 0, the default, is unlimited.</param>
/// <param name="Rate">At most so many are claimed in a time; default unlimited.</param>
/// <param name="Paused">Nothing is handed out.</param>
/// <param name="DeadLetters">What becomes of tasks that failed for good.</param>
/// <param name="KeepFinishedSeconds">How long finished tasks stay readable; default as the server is configured.</param>
/// <param name="Events">Which events are written and published: <c>all</c> (the default), <c>terminal</c> or <c>none</c>.</param>
/// <param name="Tiers">What is different at single tiers, by their number.</param>
/// <param name="SubmitterToken">Whether bella's workers get a short-lived token with each task, to act for its submitter with; needs
/// TaskQueue:Auth:TokenKey.</param>
/// <param name="ExpectedVersion">Refused where the queue has another version; default any.</param>
/// <param name="Name">Not read.</param>
/// <param name="Version">Not read.</param>
/// <param name="CreatedAt">Not read.</param>
/// <param name="UpdatedAt">Not read.</param>
/// <param name="Counts">Not read.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record QueueBody(
    string? Delivery, string? Description, double? LeaseSeconds, double? ExpireAfterSeconds, int? MaxAttempts, RetryBody? Retry,
        int? MaxRunning,
    RateBody? Rate, bool? Paused, DeadLettersBody? DeadLetters, double? KeepFinishedSeconds, string? Events,
    IReadOnlyDictionary<string, LevelBody?>? Tiers, bool? SubmitterToken, int? ExpectedVersion,
    JsonElement? Name, JsonElement? Version, JsonElement? CreatedAt, JsonElement? UpdatedAt, JsonElement? Counts);

/// <summary>A token bucket.</summary>
/// <param name="Tokens">Tasks in an interval, and at once: from 1.</param>
/// <param name="IntervalSeconds">Seconds; default 1.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record RateBody(int? Tokens, double? IntervalSeconds);

/// <summary>What becomes of tasks that failed for good.</summary>
/// <param name="Enabled">Whether they are kept as dead letters; default true.</param>
/// <param name="MaxSize">Beyond it the oldest is deleted; 0, the default, is unlimited.</param>
/// <param name="RetentionSeconds">Deleted so long after its death; default as other finished tasks.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record DeadLettersBody(bool? Enabled, int? MaxSize, double? RetentionSeconds);

/// <summary>What is different at one tier.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record LevelBody(double? LeaseSeconds, double? ExpireAfterSeconds, int? MaxAttempts, RetryBody? Retry, string? Priority);

/// <summary>A queue with its settings. One that nobody declared has the defaults, version 0 and no times.</summary>
internal sealed record QueueDetails(
    string Name, string Delivery, int Version, DateTime? CreatedAt, DateTime? UpdatedAt, string Description, double? LeaseSeconds,
        double? ExpireAfterSeconds,
    int? MaxAttempts, RetryBody? Retry, int MaxRunning, RateBody? Rate, bool Paused, DeadLettersBody DeadLetters,
        double? KeepFinishedSeconds,
    string Events, IReadOnlyDictionary<string, LevelBody>? Tiers, bool SubmitterToken, QueueCounts? Counts);

/// <summary>What a queue holds, all tiers together. Completed and expired count since the last purge.</summary>
internal sealed record QueueCounts(long Waiting, long Running, long DeadLetters, long Completed, long Expired,
    double? OldestWaitingSeconds);

/// <summary>GET /queues.</summary>
internal sealed record QueueList(IReadOnlyList<QueueDetails> Queues);

/// <summary>A page of a queue's tasks; pass <c>next</c> as <c>after</c> for the following one.</summary>
internal sealed record QueueTasks(IReadOnlyList<TaskRow> Tasks, string? Next);

/// <summary>How many dead letters run again, and how many stay because another task has their dedupe key.</summary>
internal sealed record RedriveResult(int Restarted, int Skipped);

[JsonSerializable(typeof(QueueBody))]
[JsonSerializable(typeof(QueueDetails))]
[JsonSerializable(typeof(QueueList))]
[JsonSerializable(typeof(QueueTasks))]
[JsonSerializable(typeof(RedriveResult))]
internal sealed partial class QueueJson : JsonSerializerContext
{
    /// <summary>The context with the house's options.</summary>
    public static QueueJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
