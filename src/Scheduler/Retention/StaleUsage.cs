using TaskQueue.Engine;
using TaskQueue.Engine.Quotas;

namespace TaskQueue.Scheduler.Retention;

/// <summary>Removes the quota counts that stopped processes left behind. They have not counted for long.</summary>
internal sealed class StaleUsage(ITenantUsageStore store, TimeProvider time) : IMaintenanceJob
{
    public async Task<long> RunAsync(Action progress, CancellationToken cancellationToken) =>
        await store.RemoveStaleAsync(Micros.Now(time) - (20 * StreamQuota.MaxAge), cancellationToken);
}
