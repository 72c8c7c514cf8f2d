using Microsoft.Extensions.Diagnostics.HealthChecks;
using TaskQueue.Engine.Draining;

namespace TaskQueue.Api.Operations;

/// <summary>The process was told to stop. It is asked alone then, so that the answer waits for nothing.</summary>
internal sealed class DrainHealth(Drain drain) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(drain.HasBegun ? HealthCheckResult.Unhealthy("draining") : HealthCheckResult.Healthy());
}
