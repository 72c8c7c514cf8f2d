using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>Section <c>TaskQueue:Maintenance</c>: intervals of the maintenance jobs. Must be the same in all processes.</summary>
public sealed class MaintenanceOptions : IValidatableObject
{
    internal const string Section = "TaskQueue:Maintenance";

    /// <summary>Interval of <c>task-retention</c>.</summary>
    /// <value>10 seconds.</value>
    public TimeSpan TaskRetentionInterval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Interval of <c>callback-retention</c>.</summary>
    /// <value>1 minute.</value>
    public TimeSpan CallbackRetentionInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Interval of <c>audit-retention</c>.</summary>
    /// <value>5 minutes.</value>
    public TimeSpan AuditRetentionInterval { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Interval of <c>refused-message-retention</c>.</summary>
    /// <value>1 minute.</value>
    public TimeSpan RefusedMessageRetentionInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Interval of <c>abandoned-files</c>.</summary>
    /// <value>1 hour.</value>
    public TimeSpan AbandonedFilesInterval { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Interval of <c>failure-retention</c>.</summary>
    /// <value>1 hour.</value>
    public TimeSpan FailureRetentionInterval { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Interval of <c>orphaned-logs</c>.</summary>
    /// <value>1 hour.</value>
    public TimeSpan OrphanedLogsInterval { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Interval of <c>bulk-operation-retention</c>.</summary>
    /// <value>1 hour.</value>
    public TimeSpan BulkOperationRetentionInterval { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Interval of <c>stale-usage</c>.</summary>
    /// <value>5 minutes.</value>
    public TimeSpan StaleUsageInterval { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Interval of <c>lost-workers</c>.</summary>
    /// <value>15 seconds.</value>
    public TimeSpan LostWorkersInterval { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Interval of <c>statistics-sample</c>.</summary>
    /// <value>1 minute.</value>
    public TimeSpan StatisticsSampleInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Interval of <c>statistics-roll-up</c>.</summary>
    /// <value>5 minutes.</value>
    public TimeSpan StatisticsRollUpInterval { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Seconds without a renewal after which another process takes over a run.</summary>
    /// <value>60; 5 to 3,600.</value>
    [Range(5, 3600, ErrorMessage = Section + ":TakeOverAfterSeconds must be 5 to 3600")]
    public int TakeOverAfterSeconds { get; set; } = 60;

    /// <summary>Seconds between polls for due jobs.</summary>
    /// <value>5; 1 to 60.</value>
    [Range(1, 60, ErrorMessage = Section + ":PollSeconds must be 1 to 60")]
    public int PollSeconds { get; set; } = 5;

    internal TimeSpan TakeOverAfter => TimeSpan.FromSeconds(TakeOverAfterSeconds);

    internal TimeSpan PollEvery => TimeSpan.FromSeconds(PollSeconds);

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var job in MaintenanceJobs.All)
        {
            if (MaintenanceInterval.ToCron(job.Interval(this)) is null)
                yield return new ValidationResult($"{Section}:{job.Type.Name}Interval must be {MaintenanceInterval.Rule}");
        }
    }
}
