using Microsoft.Extensions.Diagnostics.HealthChecks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Api.Operations;

/// <summary>Shows an outage of the storage of file contents. The process stays ready: only files and batches need it.</summary>
internal sealed class FileStoreHealth(DependencyHealth dependencies) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(HealthCheckResult.Healthy(dependencies.Files.IsOn
            ? "the file store does not answer as it should; the log says more" : null));
}
