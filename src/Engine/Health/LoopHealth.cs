using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace TaskQueue.Engine.Health;

/// <summary>Checks that a loop completes its iterations, and that not all of them fail.</summary>
/// <param name="heartbeats">The heartbeats of this process.</param>
/// <param name="thresholds">The maximum silence.</param>
/// <param name="loop">Name of the loop.</param>
/// <param name="service">The service that runs it, if it may end with an exception.</param>
internal sealed class LoopHealth(LoopHeartbeats heartbeats, HealthThresholds thresholds, string loop, BackgroundService? service)
    : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (service?.ExecuteTask is { IsFaulted: true, Exception: var fault })
            return Task.FromResult(HealthCheckResult.Unhealthy($"it has ended: {fault.InnerException?.GetType().Name}"));
        var silence = heartbeats.SilenceOf(loop);
        return Task.FromResult(thresholds.Of(silence, heartbeats.FaultOf(loop) is { } failure
            ? $"all its runs have failed for {silence.TotalSeconds:0} s ({failure.GetBaseException().GetType().Name}); the log says more"
            : $"it has not finished a turn for {silence.TotalSeconds:0} s, though the database answers"));
    }
}
