using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Statistics;

/// <summary>Length of the period that a row counts.</summary>
public enum StatisticsStep
{
    /// <summary>A minute.</summary>
    Minute = 0,

    /// <summary>An hour.</summary>
    Hour = 1,

    /// <summary>A day, UTC.</summary>
    Day = 2,

    /// <summary>No period: <see cref="StatisticsRow.RunMicros"/> of its one row is the time until which hours have been computed.</summary>
    HoursComputed = 11,

    /// <summary>Same for days.</summary>
    DaysComputed = 12,
}

/// <summary>A row of table <c>queue_statistics</c>: what happened to tasks of an owner in a queue, in a period.</summary>
public sealed class StatisticsRow : IOwnedInQueue
{
    /// <summary>Length of the period.</summary>
    public StatisticsStep Step { get; set; }

    /// <summary>Its start, UTC.</summary>
    public DateTime At { get; set; }

    /// <summary>Base name of the queue.</summary>
    public string Queue { get; set; } = "";

    /// <summary>Owner of the tasks; empty for tasks without one, and for the samples of the queue.</summary>
    public string? Owner { get; set; } = "";

    /// <summary>Tasks accepted, or retried by hand.</summary>
    public long Submitted { get; set; }

    /// <summary>Attempts started.</summary>
    public long Started { get; set; }

    /// <summary>Tasks completed.</summary>
    public long Completed { get; set; }

    /// <summary>Tasks failed for good.</summary>
    public long Failed { get; set; }

    /// <summary>Attempts that failed and are followed by another.</summary>
    public long Retried { get; set; }

    /// <summary>Tasks cancelled.</summary>
    public long Cancelled { get; set; }

    /// <summary>Tasks that did not start in time.</summary>
    public long Expired { get; set; }

    /// <summary>Attempts that ended with a known run time.</summary>
    public long Runs { get; set; }

    /// <summary>Their run times, in microseconds.</summary>
    public long RunMicros { get; set; }

    /// <summary>Waiting tasks of the queue, the most of the samples in the period.</summary>
    public long Waiting { get; set; }

    /// <summary>Milliseconds for which the oldest due task had waited, the most of the samples; null if none was due.</summary>
    public long? OldestMs { get; set; }

    /// <summary>Attempts in bucket 0 of <see cref="RunTimes"/>.</summary>
    public long B0 { get; set; }

    /// <summary>Attempts in bucket 1 of <see cref="RunTimes"/>.</summary>
    public long B1 { get; set; }

    /// <summary>Attempts in bucket 2 of <see cref="RunTimes"/>.</summary>
    public long B2 { get; set; }

    /// <summary>Attempts in bucket 3 of <see cref="RunTimes"/>.</summary>
    public long B3 { get; set; }

    /// <summary>Attempts in bucket 4 of <see cref="RunTimes"/>.</summary>
    public long B4 { get; set; }

    /// <summary>Attempts in bucket 5 of <see cref="RunTimes"/>.</summary>
    public long B5 { get; set; }

    /// <summary>Attempts in bucket 6 of <see cref="RunTimes"/>.</summary>
    public long B6 { get; set; }

    /// <summary>Attempts in bucket 7 of <see cref="RunTimes"/>.</summary>
    public long B7 { get; set; }

    /// <summary>Attempts in bucket 8 of <see cref="RunTimes"/>.</summary>
    public long B8 { get; set; }

    /// <summary>Attempts in bucket 9 of <see cref="RunTimes"/>.</summary>
    public long B9 { get; set; }

    /// <summary>Attempts in bucket 10 of <see cref="RunTimes"/>.</summary>
    public long B10 { get; set; }

    /// <summary>Attempts in bucket 11 of <see cref="RunTimes"/>.</summary>
    public long B11 { get; set; }

    /// <summary>Attempts in bucket 12 of <see cref="RunTimes"/>.</summary>
    public long B12 { get; set; }

    /// <summary>Attempts in bucket 13 of <see cref="RunTimes"/>.</summary>
    public long B13 { get; set; }

    /// <summary>Attempts in bucket 14 of <see cref="RunTimes"/>.</summary>
    public long B14 { get; set; }

    /// <summary>Attempts in bucket 15 of <see cref="RunTimes"/>.</summary>
    public long B15 { get; set; }

    /// <summary>Attempts in bucket 16 of <see cref="RunTimes"/>.</summary>
    public long B16 { get; set; }

    /// <summary>Attempts in bucket 17 of <see cref="RunTimes"/>.</summary>
    public long B17 { get; set; }

    /// <summary>Attempts in bucket 18 of <see cref="RunTimes"/>.</summary>
    public long B18 { get; set; }

    /// <summary>Attempts in bucket 19 of <see cref="RunTimes"/>.</summary>
    public long B19 { get; set; }

    /// <summary>Attempts in bucket 20 of <see cref="RunTimes"/>.</summary>
    public long B20 { get; set; }

    /// <summary>Attempts in bucket 21 of <see cref="RunTimes"/>.</summary>
    public long B21 { get; set; }

    /// <summary>The counts by number: see <see cref="StatisticsCounts"/>.</summary>
    public long[] ToCounts() =>
    [
        Submitted, Started, Completed, Failed, Retried, Cancelled, Expired, Runs, RunMicros, B0, B1, B2, B3, B4, B5,
        B6, B7, B8, B9, B10, B11, B12, B13, B14, B15, B16, B17, B18, B19, B20, B21,
    ];
}
