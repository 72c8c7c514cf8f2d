using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Client.Http;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>A schedule.</summary>
public sealed record ScheduleInfo
{
    /// <summary>Queue of its tasks.</summary>
    public string Queue { get; init; } = "";

    /// <summary>Its name, unique in the queue.</summary>
    public string Name { get; init; } = "";

    /// <summary>Number of changes.</summary>
    public int Version { get; init; }

    /// <summary>When it was created.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it was last changed.</summary>
    public DateTimeOffset UpdatedAt { get; init; }

    /// <summary>Its cron expression.</summary>
    public string Cron { get; init; } = "";

    /// <summary>IANA name of its time zone.</summary>
    public string TimeZone { get; init; } = "";

    /// <summary>Name of its tasks.</summary>
    public string? Action { get; init; }

    /// <summary>Data of its tasks.</summary>
    public JsonElement Data { get; init; }

    /// <summary>Free text.</summary>
    public string Description { get; init; } = "";

    /// <summary>Tier of its tasks.</summary>
    public int Tier { get; init; }

    /// <summary>Priority of its tasks; null is the default of their queue.</summary>
    public string? Priority { get; init; }

    /// <summary>Dedupe key of its tasks.</summary>
    public string? DedupeKey { get; init; }

    /// <summary>Ordering key of its tasks.</summary>
    public string? OrderingKey { get; init; }

    /// <summary>Tags of its tasks.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Expiry of its tasks, from their tick.</summary>
    [JsonPropertyName("expire_after_seconds")]
    [JsonConverter(typeof(SecondsConverter))]
    public TimeSpan? ExpireAfter { get; init; }

    /// <summary>Lease of its tasks.</summary>
    [JsonPropertyName("lease_seconds")]
    [JsonConverter(typeof(SecondsConverter))]
    public TimeSpan? Lease { get; init; }

    /// <summary>Attempts per run.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>Retry policy of failed attempts.</summary>
    [JsonConverter(typeof(RetryConverter))]
    public RetryPolicy? Retry { get; init; }

    /// <summary>Whether it creates no tasks.</summary>
    public bool Paused { get; init; }

    /// <summary>Its last tick.</summary>
    public DateTimeOffset? LastAt { get; init; }

    /// <summary>Its next five ticks.</summary>
    public IReadOnlyList<DateTimeOffset> Next { get; init; } = [];

    /// <summary>Why the server cannot fire it, such as a missing time zone.</summary>
    public string? Problem { get; init; }
}

internal sealed record ScheduleListAnswer(IReadOnlyList<ScheduleInfo> Schedules, string? NextCursor);

internal sealed record QueueSchedulesAnswer(IReadOnlyList<ScheduleInfo> Schedules);

internal sealed record TicksAnswer(IReadOnlyList<DateTimeOffset> Next);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ScheduleListAnswer))]
[JsonSerializable(typeof(QueueSchedulesAnswer))]
[JsonSerializable(typeof(TicksAnswer))]
internal sealed partial class ScheduleJson : JsonSerializerContext;
