using Microsoft.Extensions.Diagnostics.HealthChecks;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.WebConsole.Overview;

/// <summary>The health of this process and of what it needs, without questions to the database.</summary>
internal sealed class OverviewHealthReader(HealthCheckService checks, DependencyHealth dependencies, BusTransport bus, TimeProvider time)
{
    /// <summary>Checks that ask the database or the broker; their outages are known without.</summary>
    private static readonly string[] Asking = ["database", "masstransit-bus", "draining"];

    /// <summary>Loops need many seconds to become unhealthy.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private List<OverviewDependency> _loops = [];
    private long? _readAt;

    /// <summary>The state of everything; not for concurrent callers.</summary>
    public async Task<(OverviewHealth Health, IReadOnlyList<OverviewDependency> Dependencies)> ReadAsync(
        CancellationToken cancellationToken)
    {
        if (_readAt is null || time.GetElapsedTime(_readAt.Value) >= Interval)
            await ReadLoopsAsync(cancellationToken);
        List<OverviewDependency> all = [Of("database", dependencies.Database)];
        if (!bus.IsInProcess)
            all.Add(Of("broker", dependencies.Broker));
        if (dependencies.Files.IsOn)
            all.Add(new("file store", "degraded", "it does not answer as it should; the log says more"));
        all.AddRange(_loops);
        return (Sum(all), all);
    }

    private async Task ReadLoopsAsync(CancellationToken cancellationToken)
    {
        _readAt = time.GetTimestamp();
        try
        {
            var report = await checks.CheckHealthAsync(
                check => check.Tags.Contains(HealthRegistration.Ready) && !Asking.Contains(check.Name), cancellationToken);
            _loops = [.. report.Entries.Where(e => e.Value.Status != HealthStatus.Healthy).OrderBy(e => e.Key, StringComparer.Ordinal)
                .Select(e => new OverviewDependency(e.Key, e.Value.Status == HealthStatus.Degraded ? "degraded" : "down",
                    e.Value.Description))];
        }
        catch (OperationCanceledException)
        {
            // The next read checks again.
        }
    }

    private static OverviewDependency Of(string name, Outage outage) =>
        new(name, outage.IsOn ? "down" : "ok", outage.IsOn ? "it does not answer as it should; the log says more" : null);

    private static OverviewHealth Sum(List<OverviewDependency> all)
    {
        var wrong = all.Where(d => d.State != "ok").ToList();
        if (wrong.Count == 0)
            return new("ok", "Everything works.");
        if (wrong[0].Name == "database")
            return new("down", "The database does not answer: nothing is accepted or handed out until it does.");
        if (wrong[0].Name == "broker")
            return new("degraded", "The broker does not answer: push queues, events and other processes' signals wait until it does.");
        if (wrong[0].Name == "file store")
            return new("degraded", "The file store does not answer: uploads, downloads and batches wait until it does.");
        return new("degraded", wrong.Count == 1 ? $"The part {wrong[0].Name} of this process is stuck." :
            $"{wrong.Count} parts of this process are stuck: {string.Join(", ", wrong.Select(d => d.Name))}.");
    }
}
