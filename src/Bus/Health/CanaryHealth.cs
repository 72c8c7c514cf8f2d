using Microsoft.Extensions.Diagnostics.HealthChecks;
using TaskQueue.Engine.Health;

namespace TaskQueue.Bus.Health;

/// <summary>Checks that every receive endpoint of this process receives messages.</summary>
internal sealed class CanaryHealth(ConsumerLiveness liveness, HealthThresholds thresholds) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var silent = liveness.Silent().OrderByDescending(s => s.Silence).ToList();
        var longest = silent.Select(s => s.Silence).FirstOrDefault();
        var unresponsive = silent.Where(s => thresholds.IsUnresponsive(s.Silence))
            .Select(s => $"{s.Probe.Name} for {s.Silence.TotalSeconds:0} s");
        return Task.FromResult(thresholds.Of(longest, $"the broker takes canaries, but nothing reaches {string.Join(", ", unresponsive)}"));
    }
}
