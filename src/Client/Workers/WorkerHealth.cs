using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace TaskQueue.Client;

/// <summary>
/// Checks that the workers of a host can receive tasks. Degraded while the server is unavailable, which restarting a worker does
/// not fix; unhealthy if the server refuses a worker, or nothing arrives although the server is up.
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
