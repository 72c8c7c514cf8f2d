using TaskQueue.Engine;
using TaskQueue.Engine.Quotas;

namespace TaskQueue.Scheduler.Retention;

/// <summary>Removes quota counts left behind by stopped processes, which have long ceased to count.</summary>
internal sealed class StaleUsage(ITenantUsageStore store, TimeProvider time) : IMaintenanceJob
{
    public async Task<long> RunAsync(Action progress, CancellationToken cancellationToken) =>
        await store.RemoveStaleAsync(Micros.Now(time) - (20 * StreamQuota.MaxAge), cancellationToken);
}
