using TaskQueue.Scheduler.Maintenance;
using TaskQueue.WebConsole.Overview;

namespace TaskQueue.Api.Maintenance;

/// <summary>The maintenance jobs in the console's overview.</summary>
internal sealed class OverviewJobs(MaintenanceService maintenance) : IOverviewSource
{
    public async Task<IReadOnlyList<OverviewJob>> JobsAsync(CancellationToken cancellationToken) =>
        [.. (await maintenance.ListAsync(cancellationToken)).Select(j => new OverviewJob(j.Name, j.Outcome, j.LastRunAt, j.NextRunAt))];
}
