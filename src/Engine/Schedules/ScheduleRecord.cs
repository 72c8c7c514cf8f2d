using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Contracts;

namespace TaskQueue.Engine.Schedules;

/// <summary>What somebody decided about a schedule. Immutable; a change replaces all of it.</summary>
public sealed record ScheduleSettings
{
    /// <summary>For people; at most 1,024 characters.</summary>
    public string Description { get; init; } = "";

    /// <summary>When: see <see cref="CronSchedule"/>.</summary>
    public required string Cron { get; init; }

    /// <summary>IANA name of the time zone that the cron is read in.</summary>
    public required string TimeZone { get; init; }

    /// <summary>Payload of its tasks.</summary>
    public string Payload { get; init; } = "";

    /// <summary>JSON object that travels with its tasks.</summary>
    public string? Headers { get; init; }

    /// <summary>Which handler runs its tasks.</summary>
    public string? TaskName { get; init; }

    /// <summary>Level of its tasks.</summary>
    public int Tier { get; init; }

    /// <summary>Priority of its tasks; null is the tier's.</summary>
    public Priority? Priority { get; init; }

    /// <summary>Dedupe key of its tasks: a tick is skipped while the task of the last one waits or runs.</summary>
    public string? DedupeKey { get; init; }

    /// <summary>Ordering key of its tasks.</summary>
    public string? OrderingKey { get; init; }

    /// <summary>Expiry of its tasks, from their tick; null is the queue's.</summary>
    public long? ExpireAfterMs { get; init; }

    /// <summary>Lease of its tasks; null is the queue's.</summary>
    public int? LeaseMs { get; init; }

    /// <summary>How failed attempts are tried again; null is the queue's.</summary>
    public RetryPolicy? Retry { get; init; }

    /// <summary>Attempts of a run; null is the queue's.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>Who decided it: the owner of its tasks; null where that was not known.</summary>
    public string? Owner { get; init; }

    /// <summary>Does not fire. Ticks that pass meanwhile are lost.</summary>
    public bool Paused { get; init; }

    /// <summary>What the API that made the schedule must remember of its own; the engine does not read it.</summary>
    public string? Adapter { get; init; }

    /// <summary>Whether what is stored could not be read: all else is a default.</summary>
    [JsonIgnore]
    public bool IsUnreadable { get; init; }

    internal string ToText() => JsonSerializer.Serialize(this, ScheduleJson.Default.ScheduleSettings);

    /// <summary>
    /// Text that cannot be read makes settings that say so, so that the schedule is still listed and can be replaced or deleted.
    /// </summary>
    internal static ScheduleSettings FromText(string text)
    {
        try
        {
            return JsonSerializer.Deserialize(text, ScheduleJson.Default.ScheduleSettings) ?? Unreadable;
        }
        catch (JsonException)
        {
            return Unreadable;
        }
    }

    private static readonly ScheduleSettings Unreadable = new() { Cron = "", TimeZone = "UTC", IsUnreadable = true };
}

/// <summary>A row of table <c>schedules</c>: tasks of a queue that come by the clock.</summary>
public sealed class ScheduleRecord
{
    /// <summary>Number of the schedule, never used again.</summary>
    public int Id { get; set; }

    /// <summary>Base name of the queue.</summary>
    public string Queue { get; set; } = "";

    /// <summary>Unique within the queue.</summary>
    public string Name { get; set; } = "";

    /// <summary>Counts the changes of its settings, from 1.</summary>
    public int Version { get; set; } = 1;

    /// <summary>What somebody decided about it.</summary>
    public required ScheduleSettings Settings { get; set; }

    /// <summary>When it was made, UTC.</summary>
    public DateTime CreatedAt { get; set; }

    /// <summary>When its settings changed last, UTC.</summary>
    public DateTime UpdatedAt { get; set; }

    /// <summary>The next tick, UTC; null while paused, and where the cron has no more.</summary>
    public DateTime? NextAt { get; set; }

    /// <summary>The last tick that fired, UTC.</summary>
    public DateTime? LastAt { get; set; }
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ScheduleSettings))]
internal sealed partial class ScheduleJson : JsonSerializerContext;
