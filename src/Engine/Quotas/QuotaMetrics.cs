using System.Diagnostics.Metrics;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Quotas;

/// <summary>Counts what quotas refuse. The label has one value for each resource.</summary>
public sealed class QuotaMetrics
{
    private readonly Counter<long> _refused;

    /// <summary>Makes the counter.</summary>
    public QuotaMetrics(IMeterFactory meters)
    {
        ArgumentNullException.ThrowIfNull(meters);
        _refused = meters.Create(TaskQueueMeter.Name)
            .CreateCounter<long>("taskqueue.quota.refused", "{request}", "Requests, tasks and ticks that a tenant's quota refused.");
    }

    /// <summary>Counts a refusal, and returns it to be thrown.</summary>
    internal QuotaExceededException Refused(QuotaExceededException refusal)
    {
        _refused.Add(1, new KeyValuePair<string, object?>("resource", QuotaResources.Word(refusal.Resource)));
        return refusal;
    }
}
