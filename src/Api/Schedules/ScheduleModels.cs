using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Api.Tasks;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Schedules;

/// <summary>
/// PUT /queues/{queue}/schedules/{name}: all settings; omitted ones get their default, except paused, which stays as it is. Other members
/// of the GET response may be sent back and are ignored; unknown members are refused.
/// </summary>
/// <param name="Cron">5 fields (minute hour day month weekday), 6 (leading seconds, or a trailing year) or 7 (both).</param>
/// <param name="TimeZone">IANA name; default UTC.</param>
/// <param name="Action">Name of the tasks, which selects the handler; optional.</param>
/// <param name="Data">Data of the tasks: any JSON. Their payload is the message that POST /tasks makes.</param>
/// <param name="Description">Free text; at most 1,024 characters.</param>
/// <param name="Tier">Tier of the tasks; default 0.</param>
/// <param name="Priority">low, normal, high or critical; default the tier's.</param>
/// <param name="DedupeKey">A tick is skipped while the task of the previous tick waits or runs.</param>
/// <param name="OrderingKey">Ordering key of the tasks.</param>
/// <param name="Tags">Tags of the tasks; default none.</param>
/// <param name="ExpireAfterSeconds">Expiry of the tasks, from their tick; default the queue's.</param>
/// <param name="LeaseSeconds">Lease of the tasks; default the queue's.</param>
/// <param name="MaxAttempts">Attempts per run; default the queue's.</param>
/// <param name="Retry">Retry policy of failed attempts; default the queue's.</param>
/// <param name="Paused">Whether the schedule does not fire; default as it is, at first false.</param>
/// <param name="ExpectedVersion">The update is refused if the schedule has another version; default any.</param>
/// <param name="Queue">Not read.</param>
/// <param name="Name">Not read.</param>
/// <param name="Version">Not read.</param>
/// <param name="CreatedAt">Not read.</param>
/// <param name="UpdatedAt">Not read.</param>
/// <param name="LastAt">Not read.</param>
/// <param name="Next">Not read.</param>
/// <param name="Problem">Not read.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record ScheduleBody(
    string? Cron, string? TimeZone, string? Action, JsonElement? Data, string? Description, int? Tier, string? Priority, string? DedupeKey,
    string? OrderingKey, IReadOnlyList<string>? Tags,
    double? ExpireAfterSeconds, double? LeaseSeconds, int? MaxAttempts, RetryBody? Retry, bool? Paused, int? ExpectedVersion,
    JsonElement? Queue, JsonElement? Name, JsonElement? Version, JsonElement? CreatedAt, JsonElement? UpdatedAt, JsonElement? LastAt,
    JsonElement? Next, JsonElement? Problem);

/// <summary>A schedule with its next five ticks; problem is why this server cannot fire it, such as a missing time zone.</summary>
internal sealed record ScheduleDetails(
    string Queue, string Name, int Version, DateTime CreatedAt, DateTime UpdatedAt, string Cron, string TimeZone, string? Action,
    RawJson Data, string Description,
    int Tier, string? Priority, string? DedupeKey, string? OrderingKey, IReadOnlyList<string> Tags, double? ExpireAfterSeconds,
    double? LeaseSeconds, int? MaxAttempts, RetryBody? Retry,
    bool Paused, DateTime? LastAt, IReadOnlyList<DateTime> Next, string? Problem);

/// <summary>GET /queues/{queue}/schedules.</summary>
internal sealed record ScheduleList(IReadOnlyList<ScheduleDetails> Schedules);

/// <summary>
/// GET /schedules: of all queues, by queue and name; pass <c>next_cursor</c> as <c>cursor</c> for the following page. A page may have fewer
/// than asked for, and even none, although others follow.
/// </summary>
internal sealed record SchedulePage(IReadOnlyList<ScheduleDetails> Schedules, string? NextCursor);

/// <summary>The next ticks of a schedule or of a cron expression; fewer than asked for if there are no more.</summary>
internal sealed record ScheduleTicks(IReadOnlyList<DateTime> Next);

[JsonSerializable(typeof(SchedulePage))]
[JsonSerializable(typeof(ScheduleTicks))]
[JsonSerializable(typeof(ScheduleBody))]
[JsonSerializable(typeof(ScheduleDetails))]
[JsonSerializable(typeof(ScheduleList))]
[JsonSerializable(typeof(TaskQueued))]
internal sealed partial class ScheduleJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static ScheduleJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
