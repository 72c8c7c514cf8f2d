using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Schedules;

/// <summary>Settings of a schedule. Immutable; a change replaces all of them.</summary>
public sealed record ScheduleSettings
{
    /// <summary>Text for humans, at most 1,024 characters.</summary>
    public string Description { get; init; } = "";

    /// <summary>The cron expression: see <see cref="CronSchedule"/>.</summary>
    public required string Cron { get; init; }

    /// <summary>IANA name of the time zone of the cron expression.</summary>
    public required string TimeZone { get; init; }

    /// <summary>Payload of its tasks, or their data: see <see cref="HasMessages"/>.</summary>
    public string Payload { get; init; } = "";

    /// <summary>Whether its tasks have messages as payload, like those of POST /tasks: see <see cref="TaskMessage"/>.</summary>
    public bool HasMessages { get; init; }

    /// <summary>JSON object that is passed along with its tasks.</summary>
    public string? Headers { get; init; }

    /// <summary>Name of the handler that runs its tasks.</summary>
    public string? TaskName { get; init; }

    /// <summary>Tier of its tasks.</summary>
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

    /// <summary>Retry policy of failed attempts; null is the queue's.</summary>
    public RetryPolicy? Retry { get; init; }

    /// <summary>Attempts of a run; null is the queue's.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>Tags of its tasks; null is none.</summary>
    public IReadOnlyList<string>? Tags { get; init; }

    /// <summary>Owner of its tasks, the caller that last changed it; null if unknown.</summary>
    public string? Owner { get; init; }

    /// <summary>Whether it is paused. Ticks that pass meanwhile are skipped.</summary>
    public bool Paused { get; init; }

    /// <summary>Data of the API that created the schedule; the engine does not read it.</summary>
    public string? Adapter { get; init; }

    /// <summary>Whether the stored settings could not be read; all other properties then have defaults.</summary>
    [JsonIgnore]
    public bool IsUnreadable { get; init; }

    internal string ToText() => JsonSerializer.Serialize(this, ScheduleJson.Default.ScheduleSettings);

    /// <summary>
    /// Unreadable text results in settings marked as such, so that the schedule is still listed and can be replaced or deleted.
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

/// <summary>A row of table <c>schedules</c>: submits tasks to a queue at the ticks of a cron expression.</summary>
public sealed class ScheduleRecord
{
    /// <summary>Number of the schedule, never reused.</summary>
    public int Id { get; set; }

    /// <summary>Base name of the queue.</summary>
    public string Queue { get; set; } = "";

    /// <summary>Unique within the queue.</summary>
    public string Name { get; set; } = "";

    /// <summary>Incremented by each change of the settings, from 1.</summary>
    public int Version { get; set; } = 1;

    /// <summary>The settings.</summary>
    public required ScheduleSettings Settings { get; set; }

    /// <summary>When it was created, UTC.</summary>
    public DateTime CreatedAt { get; set; }

    /// <summary>When its settings last changed, UTC.</summary>
    public DateTime UpdatedAt { get; set; }

    /// <summary>The next tick, UTC; null while paused, and if the cron expression has no more.</summary>
    public DateTime? NextAt { get; set; }

    /// <summary>The last tick that fired, UTC.</summary>
    public DateTime? LastAt { get; set; }
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ScheduleSettings))]
internal sealed partial class ScheduleJson : JsonSerializerContext;
