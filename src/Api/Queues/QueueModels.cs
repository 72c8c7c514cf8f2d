using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Api.Search;
using TaskQueue.Api.Tasks;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Queues;

/// <summary>
/// PUT /queues/{name}: all settings; omitted ones get their default, but delivery and paused stay as they are. Other members of the GET
/// response may be sent back and are ignored; unknown members are refused, because a misspelled one would reset a setting.
/// </summary>
/// <param name="Delivery"><c>pull</c> (workers claim; the default) or <c>push</c> (dispatched to bus workers). Cannot be changed.</param>
/// <param name="Description">Free text; at most 1,024 characters.</param>
/// <param name="LeaseSeconds">Lease of its tasks unless set by claim or task; default 15.</param>
/// <param name="ExpireAfterSeconds">Default and upper limit of a task's expiry, from its scheduled time; default never.</param>
/// <param name="MaxAttempts">Attempts per run; default: number of retry intervals plus one, else 4.</param>
/// <param name="Retry">Retry policy of failed attempts; default 2, 4, 8 … seconds.</param>
/// <param name="MaxCrashes">Lost workers (expired leases) after which a task fails as quarantined, 0 to 100; 0 is never, default 3.</param>
/// <param name="MaxRunning">Concurrency limit; 0, the default, is unlimited.</param>
/// <param name="Rate">Rate limit of claims; default unlimited.</param>
/// <param name="Paused">Whether no tasks are handed out; default as it is, at first false.</param>
/// <param name="DeadLetters">Handling of permanently failed tasks.</param>
/// <param name="KeepFinishedSeconds">How long finished tasks stay readable; default as configured on the server.</param>
/// <param name="Events">Which events are written and published: <c>all</c> (the default), <c>terminal</c> or <c>none</c>.</param>
/// <param name="Tiers">Settings of single tiers, by their number.</param>
/// <param name="SubmitterToken">Whether bella's workers receive a short-lived token with each task to act for its submitter; needs
/// TaskQueue:Auth:TokenKey.</param>
/// <param name="ExpectedVersion">The update is refused if the queue has another version; default any.</param>
/// <param name="Name">Not read.</param>
/// <param name="Version">Not read.</param>
/// <param name="CreatedAt">Not read.</param>
/// <param name="UpdatedAt">Not read.</param>
/// <param name="Counts">Not read.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record QueueBody(
    string? Delivery, string? Description, double? LeaseSeconds, double? ExpireAfterSeconds, int? MaxAttempts, RetryBody? Retry,
    int? MaxCrashes, int? MaxRunning,
    RateBody? Rate, bool? Paused, DeadLettersBody? DeadLetters, double? KeepFinishedSeconds, string? Events,
    IReadOnlyDictionary<string, TierBody?>? Tiers, bool? SubmitterToken, int? ExpectedVersion,
    JsonElement? Name, JsonElement? Version, JsonElement? CreatedAt, JsonElement? UpdatedAt, JsonElement? Counts);

/// <summary>A token bucket.</summary>
/// <param name="Tokens">Tasks per interval, and the maximum burst: at least 1.</param>
/// <param name="IntervalSeconds">Interval in seconds; default 1.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record RateBody(int? Tokens, double? IntervalSeconds);

/// <summary>Handling of permanently failed tasks.</summary>
/// <param name="Enabled">Whether they are kept as dead letters; default true.</param>
/// <param name="MaxSize">Maximum number, above which the oldest is deleted; 0, the default, is unlimited.</param>
/// <param name="RetentionSeconds">How long a dead letter is kept; default as other finished tasks.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record DeadLettersBody(bool? Enabled, int? MaxSize, double? RetentionSeconds);

/// <summary>Settings of one tier.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record TierBody(double? LeaseSeconds, double? ExpireAfterSeconds, int? MaxAttempts, RetryBody? Retry, string? Priority);

/// <summary>A queue with its settings. An undeclared queue has the defaults, version 0 and no times.</summary>
internal sealed record QueueDetails(
    string Name, string Delivery, int Version, DateTime? CreatedAt, DateTime? UpdatedAt, string Description, double? LeaseSeconds,
    double? ExpireAfterSeconds,
    int? MaxAttempts, RetryBody? Retry, int MaxCrashes, int MaxRunning, RateBody? Rate, bool Paused, DeadLettersBody DeadLetters,
    double? KeepFinishedSeconds,
    string Events, IReadOnlyDictionary<string, TierBody>? Tiers, bool SubmitterToken, QueueCounts? Counts);

/// <summary>
/// Task counts of a queue across all tiers. Of the waiting ones, <c>later</c> are not due yet. Completed and expired count since the last
/// purge.
/// </summary>
internal sealed record QueueCounts(long Waiting, long Later, long Running, long DeadLetters, long Completed, long Expired,
    double? OldestWaitingSeconds);

/// <summary>GET /queues.</summary>
internal sealed record QueueList(IReadOnlyList<QueueDetails> Queues);

/// <summary>
/// A page of a queue's tasks as a search shows them, without payload and result; pass <c>next</c> as <c>after</c> for the following one.
/// </summary>
internal sealed record QueueTasks(IReadOnlyList<TaskFound> Tasks, string? Next);

/// <summary>Number of dead letters requeued, and number skipped because another task has the same dedupe key.</summary>
internal sealed record RedriveResult(int Restarted, int Skipped);

[JsonSerializable(typeof(QueueBody))]
[JsonSerializable(typeof(QueueDetails))]
[JsonSerializable(typeof(QueueList))]
[JsonSerializable(typeof(QueueTasks))]
[JsonSerializable(typeof(RedriveResult))]
internal sealed partial class QueueJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static QueueJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
