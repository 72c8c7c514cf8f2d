using Microsoft.Extensions.Diagnostics.HealthChecks;
using TaskQueue.Engine.Clocks;
using TaskQueue.Storage;

namespace TaskQueue.Api.Operations;

/// <summary>Healthy if the database answers and has all migrations. A wrong clock of this machine is shown; it does no harm.</summary>
internal sealed class DatabaseHealth(DatabaseMigrator migrator, DatabaseWatch watch) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var pending = await migrator.PendingAsync(cancellationToken);
        return pending.Count == 0
            ? HealthCheckResult.Healthy(watch.Difference)
            : HealthCheckResult.Unhealthy($"{pending.Count} migration(s) are missing; run 'taskqueue migrate'");
    }
}
