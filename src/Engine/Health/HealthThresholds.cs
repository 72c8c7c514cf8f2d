using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace TaskQueue.Engine.Health;

/// <summary>What a silence means: first degraded, by which a process is not ready; then unhealthy, by which it is restarted.</summary>
internal sealed class HealthThresholds(IOptions<HealthOptions> options, IHostApplicationLifetime lifetime)
{
    public bool IsDeaf(TimeSpan silence) => silence >= options.Value.DeafAfter;

    /// <summary>The result of a check; loops that end because the process stops are silent for a good reason.</summary>
    public HealthCheckResult Of(TimeSpan silence, string problem) =>
        !IsDeaf(silence) || lifetime.ApplicationStopping.IsCancellationRequested ? HealthCheckResult.Healthy()
        : silence < options.Value.RestartAfter ? HealthCheckResult.Degraded(problem)
        : HealthCheckResult.Unhealthy(problem);
}
