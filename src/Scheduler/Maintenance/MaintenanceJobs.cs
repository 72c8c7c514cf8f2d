using TaskQueue.Engine.Health;
using TaskQueue.Scheduler.Retention;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>Definition of a maintenance job, known to every process.</summary>
/// <param name="Type">The class that implements it in the Scheduler role.</param>
/// <param name="Description">What it does.</param>
/// <param name="Interval">How often it runs.</param>
internal sealed record MaintenanceJob(Type Type, string Description, Func<MaintenanceOptions, TimeSpan> Interval)
{
    /// <summary>Name used in routes, storage, metrics and health.</summary>
    public string Name { get; } = LoopHeartbeats.NameOf(Type);
}

/// <summary>All maintenance jobs. Nothing else in the storage may run.</summary>
internal static class MaintenanceJobs
{
    public static IReadOnlyList<MaintenanceJob> All { get; } =
    [
        new(
            typeof(TaskRetention), "Removes tasks that were deleted, or ended longer ago than their queue keeps them.",
            o => o.TaskRetentionInterval),
        new(
            typeof(CallbackRetention), "Removes delivered and abandoned callbacks after the retention time of finished tasks.",
            o => o.CallbackRetentionInterval),
        new(
            typeof(AuditRetention), "Removes audit records older than TaskQueue:Audit:KeepDays.",
            o => o.AuditRetentionInterval),
        new(
            typeof(RefusedMessageRetention), "Removes old refused bus messages, and the oldest of owners with too many.",
            o => o.RefusedMessageRetentionInterval),
        new(
            typeof(AbandonedFiles), "Removes files that have expired, unfinished uploads, and file contents without a row.",
            o => o.AbandonedFilesInterval),
        new(
            typeof(FailureRetention), "Removes groups of failures that were resolved, or not seen, long ago.",
            o => o.FailureRetentionInterval),
        new(
            typeof(OrphanedLogs), "Removes log lines of tasks that were removed while the lines were written.",
            o => o.OrphanedLogsInterval),
        new(
            typeof(BulkOperationRetention), "Removes operations on many tasks that ended long ago, and the oldest of tenants with many.",
            o => o.BulkOperationRetentionInterval),
        new(
            typeof(StaleUsage), "Removes quota counts left behind by stopped processes.",
            o => o.StaleUsageInterval),
        new(
            typeof(LostWorkers), "Finds workers that have been silent for too long, and forgets those that ended long ago.",
            o => o.LostWorkersInterval),
        new(
            typeof(StatisticsSample), "Records for the statistics what waits in each queue.",
            o => o.StatisticsSampleInterval),
        new(
            typeof(StatisticsRollUp), "Sums statistics of minutes to hours and days, and removes old ones.",
            o => o.StatisticsRollUpInterval),
    ];

    /// <summary>Finds a job by name, or null.</summary>
    public static MaintenanceJob? Find(string name) => All.FirstOrDefault(j => string.Equals(j.Name, name, StringComparison.Ordinal));
}
