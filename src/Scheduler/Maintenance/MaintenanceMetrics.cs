using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>Metrics: runs of this process, and time since the last successful run of each job in any process.</summary>
internal sealed class MaintenanceMetrics
{
    private readonly ConcurrentDictionary<string, DateTime> _successes = new(StringComparer.Ordinal);
    private readonly Counter<long> _runs;
    private readonly TimeProvider _time;

    public MaintenanceMetrics(IMeterFactory meters, TimeProvider time)
    {
        _time = time;
        var meter = meters.Create(TaskQueueMeter.Name);
        _runs = meter.CreateCounter<long>("taskqueue.maintenance.runs", "{run}", "Runs of maintenance jobs that ended in this process.");
        meter.CreateObservableGauge(
            "taskqueue.maintenance.age", Ages, "s", "Since when no run of a maintenance job has succeeded in any process.");
        foreach (var job in MaintenanceJobs.All)
            _successes[job.Name] = time.GetUtcNow().UtcDateTime; // a new database has none yet
    }

    /// <summary>A run ended in this process.</summary>
    public void Ran(string job, string outcome) => _runs.Add(1, new("name", job), new("outcome", outcome));

    /// <summary>Records the last success in any process.</summary>
    public void Saw(string job, DateTime? succeededAt)
    {
        if (succeededAt is { } at)
            _successes[job] = at;
    }

    private IEnumerable<Measurement<double>> Ages()
    {
        var now = _time.GetUtcNow().UtcDateTime;
        return _successes.Select(s => new Measurement<double>(
            Math.Max(0, (now - s.Value).TotalSeconds), new KeyValuePair<string, object?>("name", s.Key)));
    }
}
