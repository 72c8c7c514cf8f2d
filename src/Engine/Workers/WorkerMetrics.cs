using System.Diagnostics.Metrics;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Workers;

/// <summary>Counts lost workers.</summary>
public sealed class WorkerMetrics
{
    private readonly Counter<long> _lost;

    /// <summary>Creates the counter.</summary>
    public WorkerMetrics(IMeterFactory meters)
    {
        ArgumentNullException.ThrowIfNull(meters);
        _lost = meters.Create(TaskQueueMeter.Name)
            .CreateCounter<long>("taskqueue.workers.lost", "{worker}", "Workers that went silent without saying goodbye.");
    }

    /// <summary>Shows zero: a series that begins with its first loss would not increase.</summary>
    internal void Show() => _lost.Add(0);

    /// <summary>Counts workers that this process has found lost.</summary>
    internal void Lost(int count) => _lost.Add(count);
}
