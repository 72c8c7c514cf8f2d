using TaskQueue.Engine;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Scheduler.Retention;

/// <summary>Removes the rows of deleted tasks, and of tasks that ended longer ago than their queue keeps them.</summary>
internal sealed class TaskRetention(IQueueStore store, TimeProvider time) : IMaintenanceJob
{
    public Task<long> RunAsync(Action progress, CancellationToken cancellationToken) =>
        RemoveInSteps.RunAsync(() => store.RemoveDeletedAsync(Micros.Now(time), RemoveInSteps.Max), progress, time, cancellationToken);
}
