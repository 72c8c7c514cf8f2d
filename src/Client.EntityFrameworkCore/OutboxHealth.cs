using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace TaskQueue.Client;

/// <summary>
/// Checks that an outbox is emptied. Never unhealthy: no restart helps when the server, the broker or the database is away.
/// </summary>
/// <param name="name">Name of the context.</param>
/// <param name="admin">Reads.</param>
/// <param name="options">Limits.</param>
internal sealed class OutboxHealth<TContext>(string name, OutboxAdmin<TContext> admin, OutboxOptions options) : IHealthCheck
    where TContext : DbContext
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        OutboxStatistics read;
        try
        {
            read = await admin.GetStatisticsAsync(cancellationToken);
        }
#pragma warning disable CA1031 // whatever the provider throws
        catch (Exception fault) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            return HealthCheckResult.Degraded($"the outbox of {name} cannot be read: {fault.Message}", fault);
        }

        var data = new Dictionary<string, object>
        {
            ["pending"] = read.Pending, ["oldest_age_seconds"] = read.OldestAge.TotalSeconds, ["set_aside"] = read.SetAside,
        };
        var text = $"{read.Pending} tasks wait in the outbox of {name}, the oldest for "
            + $"{read.OldestAge.TotalSeconds:0} s; {read.SetAside} are set aside";
        return read.OldestAge >= options.DegradedAfter ? HealthCheckResult.Degraded(text, data: data)
            : HealthCheckResult.Healthy(text, data);
    }
}
