using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Scheduler.Retention;

/// <summary>Removes deleted tasks, those that ended longer ago than their queue keeps them, and old published events.</summary>
internal sealed class TaskRetention(IQueueStore store, ITaskStore events, IOptions<EngineOptions> engine, TimeProvider time)
    : IMaintenanceJob
{
    public async Task<long> RunAsync(Action progress, CancellationToken cancellationToken)
    {
        // First the few rows of events: after a large purge the tasks may take long.
        await RemoveInSteps.RunAsync(
            () => events.RemovePublishedAsync(Micros.Now(time) - engine.Value.KeepFinished, RemoveInSteps.Max), progress, time,
            cancellationToken);
        return await RemoveInSteps.RunAsync(
            () => store.RemoveDeletedAsync(Micros.Now(time), RemoveInSteps.Max), progress, time, cancellationToken);
    }
}
