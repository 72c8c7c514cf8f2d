using Microsoft.Extensions.Diagnostics.HealthChecks;
using TaskQueue.Engine.Draining;

namespace TaskQueue.Api.Operations;

/// <summary>Unhealthy once the process is stopping. Then it is the only check, so that the response waits for nothing.</summary>
internal sealed class DrainHealth(Drain drain) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(drain.HasBegun ? HealthCheckResult.Unhealthy("draining") : HealthCheckResult.Healthy());
}
