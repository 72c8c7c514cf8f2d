using System.Text.Json.Serialization;

namespace TaskQueue.Client;

/// <summary>Selects statistics.</summary>
public sealed class StatisticsQuery
{
    /// <summary>Base names of at most 100 queues; empty for all that the key covers.</summary>
    public IReadOnlyList<string> Queues { get; init; } = [];

    /// <summary>Start; null: an hour, a day or 30 days before the end.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>End, exclusive; null: now.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary><c>minute</c>, <c>hour</c> or <c>day</c>; null: minute.</summary>
    public string? Step { get; init; }
}

/// <summary>What happened to the tasks of a queue over time.</summary>
public sealed class QueueStatistics
{
    /// <summary>Base name.</summary>
    public required string Queue { get; init; }

    /// <summary>In order of time; periods in which nothing happened and nothing waited are omitted.</summary>
    public IReadOnlyList<StatisticsPoint> Points { get; init; } = [];
}

/// <summary>What happened in a period.</summary>
public sealed class StatisticsPoint
{
    /// <summary>Its start.</summary>
    public DateTime At { get; init; }

    /// <summary>Tasks accepted, or retried by hand.</summary>
    public long Submitted { get; init; }

    /// <summary>Attempts started.</summary>
    public long Started { get; init; }

    /// <summary>Tasks completed.</summary>
    public long Completed { get; init; }

    /// <summary>Tasks failed for good.</summary>
    public long Failed { get; init; }

    /// <summary>Attempts that failed and are followed by another.</summary>
    public long Retried { get; init; }

    /// <summary>Tasks cancelled.</summary>
    public long Cancelled { get; init; }

    /// <summary>Tasks that did not start in time.</summary>
    public long Expired { get; init; }

    /// <summary>Waiting tasks, the highest of the samples; null for a key that sees only its own tasks of the queue.</summary>
    public long? Waiting { get; init; }

    /// <summary>For how long the oldest due task had waited; null likewise, or if none was due.</summary>
    public double? OldestAgeSeconds { get; init; }

    /// <summary>How long attempts ran.</summary>
    public RunTimeHistogram RunSeconds { get; init; } = new();
}

/// <summary>A histogram of run times.</summary>
public sealed class RunTimeHistogram
{
    /// <summary>Number of attempts.</summary>
    public long Count { get; init; }

    /// <summary>Their total in seconds.</summary>
    public double Sum { get; init; }

    /// <summary>Cumulative; a bound below which there are no more than below the one before it is omitted.</summary>
    public IReadOnlyList<RunTimeBucket> Buckets { get; init; } = [];
}

/// <summary>A bucket of a histogram.</summary>
public sealed class RunTimeBucket
{
    /// <summary>Upper bound in seconds, inclusive.</summary>
    public double Le { get; init; }

    /// <summary>Number of attempts that ran at most this long.</summary>
    public long Count { get; init; }
}

internal sealed record StatisticsAnswer(IReadOnlyList<QueueStatistics> Queues);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(StatisticsAnswer))]
internal sealed partial class StatisticsJson : JsonSerializerContext;
