using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace TaskQueue.Engine.Health;

/// <summary>What a silence means: first degraded, by which a process is not ready; then unhealthy, by which it is restarted.</summary>
internal sealed class HealthThresholds(IOptions<HealthOptions> options, IHostApplicationLifetime lifetime)
{
    public bool IsUnresponsive(TimeSpan silence) => silence >= options.Value.UnresponsiveAfter;

    /// <summary>The result of a check; loops that end because the process stops are silent for a good reason.</summary>
    public HealthCheckResult Of(TimeSpan silence, string problem) =>
        !IsUnresponsive(silence) || lifetime.ApplicationStopping.IsCancellationRequested ? HealthCheckResult.Healthy()
        : silence < options.Value.RestartAfter ? HealthCheckResult.Degraded(problem)
        : HealthCheckResult.Unhealthy(problem);
}
