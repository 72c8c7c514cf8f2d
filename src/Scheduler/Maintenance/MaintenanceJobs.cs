using TaskQueue.Engine.Health;
using TaskQueue.Scheduler.Retention;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>A job of maintenance, as every process knows it.</summary>
/// <param name="Type">The class that does the work in the Scheduler role.</param>
/// <param name="Description">What it does.</param>
/// <param name="Interval">How often it runs.</param>
internal sealed record MaintenanceJob(Type Type, string Description, Func<MaintenanceOptions, TimeSpan> Interval)
{
    /// <summary>Its name everywhere: in routes, storage, metrics and health.</summary>
    public string Name { get; } = LoopHeartbeats.NameOf(Type);
}

/// <summary>The jobs of maintenance. Nothing else runs from the storage.</summary>
internal static class MaintenanceJobs
{
    public static IReadOnlyList<MaintenanceJob> All { get; } =
    [
        new(
            typeof(TaskRetention), "Removes tasks that were deleted, or ended longer ago than their queue keeps them.",
            o => o.TaskRetentionInterval),
        new(
            typeof(CallbackRetention), "Removes callbacks that were delivered or given up, as long after it as finished tasks are kept.",
            o => o.CallbackRetentionInterval),
        new(
            typeof(AuditRetention), "Removes audit records older than TaskQueue:Audit:KeepDays.",
            o => o.AuditRetentionInterval),
        new(
            typeof(RefusedMessageRetention), "Removes refused messages of the bus that are old, or too many of one owner.",
            o => o.RefusedMessageRetentionInterval),
        new(
            typeof(AbandonedFiles), "Removes uploads that were never finished, and contents that have no row.",
            o => o.AbandonedFilesInterval),
        new(
            typeof(StaleUsage), "Removes the quota counts that processes which are gone left behind.",
            o => o.StaleUsageInterval),
    ];

    /// <summary>The job of a name, or null.</summary>
    public static MaintenanceJob? Find(string name) => All.FirstOrDefault(j => string.Equals(j.Name, name, StringComparison.Ordinal));
}
