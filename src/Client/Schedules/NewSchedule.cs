using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>A cron schedule that enqueues tasks into a declared queue; what is null has the queue's default.</summary>
/// <param name="Cron">
/// 5 fields (minute hour day month weekday), 6 (leading seconds, or a trailing year) or 7 (both).
/// </param>
/// <param name="TaskName">Name of its tasks, which selects the processor; at most 256 characters.</param>
public sealed record NewSchedule(string Cron, string TaskName)
{
    /// <summary>IANA name of the time zone of the expression; default UTC.</summary>
    public string TimeZone { get; init; } = "UTC";

    /// <summary>Data of its tasks as JSON text; null: none. Use <c>Of</c> for a value.</summary>
    public string? Data { get; init; }

    /// <summary>Free text; at most 1,024 characters.</summary>
    public string? Description { get; init; }

    /// <summary>Tier of its tasks.</summary>
    public int Tier { get; init; }

    /// <summary>Priority of its tasks.</summary>
    public Priority? Priority { get; init; }

    /// <summary>A tick is skipped while the task of the previous tick waits or runs.</summary>
    public string? DedupeKey { get; init; }

    /// <summary>Ordering key of its tasks.</summary>
    public string? OrderingKey { get; init; }

    /// <summary>Tags of its tasks.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Expiry of its tasks, from their tick.</summary>
    public TimeSpan? ExpireAfter { get; init; }

    /// <summary>Lease of its tasks.</summary>
    public TimeSpan? Lease { get; init; }

    /// <summary>Attempts per run: 1 to 100.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>Retry policy of failed attempts.</summary>
    public RetryPolicy? Retry { get; init; }

    /// <summary>Whether it does not fire. Null: as it is, at first false.</summary>
    public bool? Paused { get; init; }

    /// <summary>Creates a schedule with a value as the data of its tasks.</summary>
    /// <param name="cron">The cron expression.</param>
    /// <param name="taskName">Name of its tasks.</param>
    /// <param name="data">The data.</param>
    /// <param name="type">Serialization metadata from a source-generated context.</param>
    public static NewSchedule Of<T>(string cron, string taskName, T data, JsonTypeInfo<T> type) =>
        new(cron, taskName) { Data = JsonSerializer.Serialize(data, type) };

    /// <summary>Creates a schedule with a value as the data of its tasks, whose JSON is made by reflection.</summary>
    /// <param name="cron">The cron expression.</param>
    /// <param name="taskName">Name of its tasks.</param>
    /// <param name="data">The data; a text becomes a JSON string.</param>
    [RequiresUnreferencedCode(ReflectedJson.Limit)]
    [RequiresDynamicCode(ReflectedJson.Limit)]
    public static NewSchedule Of<T>(string cron, string taskName, T data) => Of(cron, taskName, data, ReflectedJson.Of<T>());
}
