using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace TaskQueue.Engine.Health;

/// <summary>Maps a silence to a status: first degraded, which makes a process not ready; then unhealthy, which restarts it.</summary>
internal sealed class HealthThresholds(IOptions<HealthOptions> options, IHostApplicationLifetime lifetime)
{
    public bool IsUnresponsive(TimeSpan silence) => silence >= options.Value.UnresponsiveAfter;

    /// <summary>The result of a check; healthy while the process stops, because its loops end.</summary>
    public HealthCheckResult Of(TimeSpan silence, string problem) =>
        !IsUnresponsive(silence) || lifetime.ApplicationStopping.IsCancellationRequested ? HealthCheckResult.Healthy()
        : silence < options.Value.RestartAfter ? HealthCheckResult.Degraded(problem)
        : HealthCheckResult.Unhealthy(problem);
}
