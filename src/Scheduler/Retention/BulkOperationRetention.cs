using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Bulk;

namespace TaskQueue.Scheduler.Retention;

/// <summary>Removes operations on many tasks that ended long ago, and the oldest of tenants with too many.</summary>
internal sealed class BulkOperationRetention(IBulkOperationStore store, IOptions<BulkOperationOptions> options, TimeProvider time)
    : IMaintenanceJob
{
    /// <summary>Operations of a step: each may have thousands of tasks.</summary>
    private const int Max = 5;

    public async Task<long> RunAsync(Action progress, CancellationToken cancellationToken)
    {
        var before = Micros.Now(time).AddDays(-options.Value.KeepDays);
        return await RepeatAsync(() => store.RemoveAsync(before, Max, cancellationToken), progress, cancellationToken)
            + await RepeatAsync(
                () => store.RemoveExcessAsync(options.Value.MaxEndedPerTenant, Max, cancellationToken), progress, cancellationToken);
    }

    private async Task<long> RepeatAsync(Func<Task<int>> remove, Action progress, CancellationToken cancellationToken)
    {
        for (long total = 0; ;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var start = time.GetTimestamp();
            var removed = await remove();
            total += removed;
            progress();
            if (removed == 0)
                return total;
            await Task.Delay(time.GetElapsedTime(start), time, cancellationToken);
        }
    }
}
