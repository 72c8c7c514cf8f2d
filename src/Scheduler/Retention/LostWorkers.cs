using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Workers;

namespace TaskQueue.Scheduler.Retention;

/// <summary>Finds workers that have been silent for too long, and forgets those that ended long ago.</summary>
internal sealed class LostWorkers(
    IWorkerStore store, WorkerRegistry registry, WorkerMetrics metrics, IOptions<WorkerOptions> options, TimeProvider time)
    : IMaintenanceJob
{
    private const int Step = 500;

    public async Task<long> RunAsync(Action progress, CancellationToken cancellationToken)
    {
        var limits = options.Value;
        var now = Micros.Now(time);
        // After a start nobody has had the time to contact this process: silence before it says nothing.
        if (registry.Age >= limits.LostAfter)
            await EndAsync(now - limits.LostAfter, progress, cancellationToken);
        return await store.RemoveOldAsync(now.AddHours(-limits.KeepHours), limits.MaxPerTenant, limits.MaxWorkers, cancellationToken);
    }

    private async Task EndAsync(DateTime before, Action progress, CancellationToken cancellationToken)
    {
        while (await store.SilentAsync(before, Step, cancellationToken) is { Count: > 0 } silent)
        {
            var lost = silent.ToLookup(IsLost, w => w.Id);
            var ended = await store.EndAsync([.. lost[true]], WorkerState.Lost, before, cancellationToken);
            metrics.Lost(ended);
            ended += await store.EndAsync([.. lost[false]], WorkerState.Stopped, before, cancellationToken);
            progress();
            if (ended == 0 || silent.Count < Step)
                return;
        }
    }

    /// <summary>
    /// A drained worker may be silent, and one that need not contact the engine without tasks; not if a lease expired in its hands since.
    /// </summary>
    private static bool IsLost(WorkerRecord worker) =>
        (!worker.Draining && WorkerContact.IsContinuous(worker.Transport, worker.Instance)) || worker.LostAt > worker.LastSeenAt;
}
