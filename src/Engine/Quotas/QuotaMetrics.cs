using System.Diagnostics.Metrics;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Quotas;

/// <summary>Counts requests refused by quotas. The label has one value for each resource.</summary>
public sealed class QuotaMetrics
{
    private readonly Counter<long> _refused;

    /// <summary>Creates the counter.</summary>
    public QuotaMetrics(IMeterFactory meters)
    {
        ArgumentNullException.ThrowIfNull(meters);
        _refused = meters.Create(TaskQueueMeter.Name)
            .CreateCounter<long>("taskqueue.quota.refused", "{request}", "Requests, tasks and ticks refused by a tenant's quota.");
    }

    /// <summary>Counts a refusal and returns it for throwing.</summary>
    internal QuotaExceededException Refused(QuotaExceededException refusal)
    {
        _refused.Add(1, new KeyValuePair<string, object?>("resource", QuotaResources.Word(refusal.Resource)));
        return refusal;
    }
}
