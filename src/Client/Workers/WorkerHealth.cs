using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace TaskQueue.Client;

/// <summary>
/// The workers of a host get work, or would get it. Degraded while the server is away, which no restart of a worker changes;
/// unhealthy where it refuses them, or where nothing comes although it is there.
/// </summary>
internal sealed class WorkerHealth(IEnumerable<IHostedService> services) : IHealthCheck
{
    public const string Name = "taskqueue-worker";

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var results = services.OfType<WorkerService>().Select(w => w.Check()).OrderBy(r => r.Status).ToList(); // the worst first
        return Task.FromResult(results.Count > 0 ? results[0] : HealthCheckResult.Healthy());
    }
}
