using System.Diagnostics.Metrics;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Quotas;

/// <summary>Counts requests refused by quotas, with one label value for each resource, and grants of a process on its own.</summary>
public sealed class QuotaMetrics
{
    private readonly Counter<long> _refused, _unshared;

    /// <summary>Creates the counters.</summary>
    public QuotaMetrics(IMeterFactory meters)
    {
        ArgumentNullException.ThrowIfNull(meters);
        var meter = meters.Create(TaskQueueMeter.Name);
        _refused = meter.CreateCounter<long>(
            "taskqueue.quota.refused", "{request}", "Requests, tasks and ticks refused by a tenant's quota.");
        _unshared = meter.CreateCounter<long>("taskqueue.quota.unshared", "{request}",
            "Requests that a process allowed out of its own share, because the database did not answer in time.");
    }

    /// <summary>Counts requests that are allowed without knowing what other processes allowed.</summary>
    internal void Unshared(long requests) => _unshared.Add(requests);

    /// <summary>Counts a refusal and returns it for throwing.</summary>
    internal QuotaExceededException Refused(QuotaExceededException refusal)
    {
        _refused.Add(1, new KeyValuePair<string, object?>("resource", QuotaResources.Word(refusal.Resource)));
        return refusal;
    }
}
