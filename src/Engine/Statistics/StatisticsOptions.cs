using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Statistics;

/// <summary>Section <c>TaskQueue:Statistics</c>: counts of each queue over time.</summary>
public sealed class StatisticsOptions
{
    private const string Section = "TaskQueue:Statistics";

    /// <summary>Whether this process counts.</summary>
    /// <value>True.</value>
    public bool Enabled { get; set; } = true;

    /// <summary>
    /// Pairs of queue and owner that a process counts in a minute. Tasks of further owners are counted without their owner, and those of
    /// further queues not at all.
    /// </summary>
    /// <value>1,000; 10 to 100,000.</value>
    [Range(10, 100_000, ErrorMessage = Section + ":MaxSeries must be 10 to 100000")]
    public int MaxSeries { get; set; } = 1000;

    /// <summary>
    /// Pairs of queue and owner of an hour and of a day, the busiest; the others of an owner are counted together, for a queue without a
    /// name.
    /// </summary>
    /// <value>2,000; 10 to 100,000.</value>
    [Range(10, 100_000, ErrorMessage = Section + ":MaxKeptSeries must be 10 to 100000")]
    public int MaxKeptSeries { get; set; } = 2000;

    /// <summary>Hours for which counts of minutes are kept.</summary>
    /// <value>48; 3 to 720.</value>
    [Range(3, 720, ErrorMessage = Section + ":KeepMinutesHours must be 3 to 720")]
    public int KeepMinutesHours { get; set; } = 48;

    /// <summary>Days for which counts of hours are kept.</summary>
    /// <value>35; 3 to 3,650.</value>
    [Range(3, 3650, ErrorMessage = Section + ":KeepHoursDays must be 3 to 3650")]
    public int KeepHoursDays { get; set; } = 35;

    /// <summary>Days for which counts of days are kept.</summary>
    /// <value>730; 3 to 36,500.</value>
    [Range(3, 36_500, ErrorMessage = Section + ":KeepDays must be 3 to 36500")]
    public int KeepDays { get; set; } = 730;
}
