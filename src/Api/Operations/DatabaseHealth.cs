using Microsoft.Extensions.Diagnostics.HealthChecks;
using TaskQueue.Storage;

namespace TaskQueue.Api.Operations;

/// <summary>Healthy if the database answers and has all migrations.</summary>
internal sealed class DatabaseHealth(DatabaseMigrator migrator) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var pending = await migrator.PendingAsync(cancellationToken);
        return pending.Count == 0
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Unhealthy($"{pending.Count} migration(s) are missing; run 'taskqueue migrate'");
    }
}
