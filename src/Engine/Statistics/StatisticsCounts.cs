namespace TaskQueue.Engine.Statistics;

/// <summary>Positions in an array of counts, which has the order of the columns.</summary>
public static class StatisticsCounts
{
    /// <summary>See the members of <see cref="StatisticsRow"/>.</summary>
    public const int Submitted = 0, Started = 1, Completed = 2, Failed = 3, Retried = 4, Cancelled = 5, Expired = 6,
        Runs = 7, RunMicros = 8;

    /// <summary>Position of the first bucket.</summary>
    public const int Buckets = 9;

    /// <summary>Number of counts.</summary>
    public const int Length = Buckets + RunTimes.Buckets;

    /// <summary>Names of the members of <see cref="StatisticsRow"/>.</summary>
    public static IReadOnlyList<string> Members { get; } =
    [
        nameof(StatisticsRow.Submitted), nameof(StatisticsRow.Started), nameof(StatisticsRow.Completed), nameof(StatisticsRow.Failed),
        nameof(StatisticsRow.Retried), nameof(StatisticsRow.Cancelled), nameof(StatisticsRow.Expired), nameof(StatisticsRow.Runs),
        nameof(StatisticsRow.RunMicros), .. Enumerable.Range(0, RunTimes.Buckets).Select(n => $"B{n}"),
    ];

    /// <summary>Names of their columns.</summary>
    public static IReadOnlyList<string> Columns { get; } =
    [
        "submitted", "started", "completed", "failed", "retried", "cancelled", "expired", "runs", "run_micros",
        .. Enumerable.Range(0, RunTimes.Buckets).Select(n => $"b{n}"),
    ];
}

/// <summary>Counts of a minute in this process.</summary>
/// <param name="Queue">Base name.</param>
/// <param name="Owner">Owner of the tasks, or empty.</param>
/// <param name="Minute">Start of the minute, UTC.</param>
/// <param name="Counts">See <see cref="StatisticsCounts"/>.</param>
public sealed record MinuteCounts(string Queue, string Owner, DateTime Minute, long[] Counts)
{
    /// <summary>A sample: waiting tasks, due or not.</summary>
    public long Waiting { get; init; }

    /// <summary>A sample: milliseconds for which the oldest due task has waited; null if none is due.</summary>
    public long? OldestMs { get; init; }

    /// <summary>Only a sample.</summary>
    internal static MinuteCounts Sample(string queue, DateTime minute, long waiting, long? oldestMs) =>
        new(queue, "", minute, new long[StatisticsCounts.Length]) { Waiting = waiting, OldestMs = oldestMs };
}
