using TaskQueue.Engine.Logs;

namespace TaskQueue.Scheduler.Retention;

/// <summary>Removes log lines of tasks that were removed while the lines were written; a task takes its other lines with it.</summary>
internal sealed class OrphanedLogs(ITaskLogStore logs, TimeProvider time) : IMaintenanceJob
{
    public async Task<long> RunAsync(Action progress, CancellationToken cancellationToken)
    {
        var total = 0L;
        for (Guid? after = Guid.Empty; after is { } id;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var start = time.GetTimestamp();
            (var removed, after) = await logs.RemoveOrphansAsync(id, RemoveInSteps.Max, cancellationToken);
            total += removed;
            progress();
            if (after is not null)
                await Task.Delay(time.GetElapsedTime(start), time, cancellationToken);
        }

        return total;
    }
}
