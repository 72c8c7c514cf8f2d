using System.Text.Json.Serialization;

namespace TaskQueue.Adapters.Moab;

/// <summary>CreateSchedule.</summary>
/// <param name="QueueName">Queue of its tasks.</param>
/// <param name="Name">Letters, digits, - and _, 1 to 128 of them; unique in its queue.</param>
/// <param name="Cron">5 to 7 fields, or a tag such as @hourly.</param>
/// <param name="Timezone">IANA name.</param>
/// <param name="Description">At most 1,024 characters.</param>
/// <param name="Payload">Payload of its tasks, as in Enqueue.</param>
/// <param name="PayloadBase64">Payload of its tasks, as in Enqueue.</param>
/// <param name="DedupeKey">Dedupe key of its tasks, as in Enqueue.</param>
/// <param name="ExpiresInSeconds">Expiry of its tasks, 5 to 1209600; 0: the queue's.</param>
/// <param name="KeepaliveTimeoutInSeconds">Keepalive timeout of its tasks, 5 to 60; 0: the queue's.</param>
/// <param name="RetryStrategy">Retry strategy of its tasks; absent: the queue's, empty: no retry.</param>
public sealed record MoabCreateScheduleBody(
    string? QueueName, string? Name, string? Cron, string? Timezone, string? Description = null, string? Payload = null,
    string? PayloadBase64 = null,
    string? DedupeKey = null, long? ExpiresInSeconds = null, long? KeepaliveTimeoutInSeconds = null,
    MoabRetryStrategy? RetryStrategy = null);

/// <summary>UpdateSchedule: replaces all settings.</summary>
/// <param name="QueueName">Queue of the schedule.</param>
/// <param name="ScheduleName">The schedule.</param>
/// <param name="Cron">As in CreateSchedule.</param>
/// <param name="Timezone">As in CreateSchedule.</param>
/// <param name="Description">As in CreateSchedule.</param>
/// <param name="Payload">As in CreateSchedule.</param>
/// <param name="PayloadBase64">As in CreateSchedule.</param>
/// <param name="DedupeKey">As in CreateSchedule.</param>
/// <param name="ExpiresInSeconds">As in CreateSchedule.</param>
/// <param name="KeepaliveTimeoutInSeconds">As in CreateSchedule.</param>
/// <param name="RetryStrategy">As in CreateSchedule.</param>
/// <param name="ExpectedVersion">The update is refused if the schedule has another version; absent or 0: any.</param>
public sealed record MoabUpdateScheduleBody(
    string? QueueName, string? ScheduleName, string? Cron, string? Timezone, string? Description = null, string? Payload = null,
    string? PayloadBase64 = null,
    string? DedupeKey = null, long? ExpiresInSeconds = null, long? KeepaliveTimeoutInSeconds = null,
    MoabRetryStrategy? RetryStrategy = null, long? ExpectedVersion = null);

/// <summary>GetSchedule and DeleteSchedule.</summary>
public sealed record MoabScheduleBody(string? QueueName, string? ScheduleName);

/// <summary>ListSchedules.</summary>
/// <param name="QueueName">The queue.</param>
/// <param name="PaginationToken">Token from an earlier response.</param>
/// <param name="Limit">1 to 250; 0: 100.</param>
public sealed record MoabListSchedulesBody(string? QueueName, string? PaginationToken = null, long? Limit = null);

/// <summary>A schedule. Times are Unix nanoseconds.</summary>
public sealed record MoabSchedule
{
    public required string Name { get; init; }

    public required string Description { get; init; }

    public required string QueueName { get; init; }

    public required long CreatedAt { get; init; }

    public required long UpdatedAt { get; init; }

    public required int Version { get; init; }

    public required string Cron { get; init; }

    public required string Timezone { get; init; }

    /// <summary>"" if the payload is not UTF-8.</summary>
    public required string Payload { get; init; }

    /// <summary>Present only if the payload is not UTF-8.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? PayloadBase64 { get; init; }

    public required string DedupeKey { get; init; }

    public required long ExpiresInSeconds { get; init; }

    public required long KeepaliveTimeoutInSeconds { get; init; }

    /// <summary>Null: the queue's.</summary>
    public required MoabRetryStrategy? RetryStrategy { get; init; }
}

/// <summary>Response of CreateSchedule, GetSchedule and UpdateSchedule.</summary>
public sealed record MoabScheduleAnswer(MoabSchedule Schedule);

/// <summary>Response of ListSchedules, ordered by name.</summary>
public sealed record MoabSchedulesAnswer(IReadOnlyList<MoabSchedule> Schedules, string NextPaginationToken, string PreviousPaginationToken);
