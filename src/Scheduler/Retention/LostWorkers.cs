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
        return await store.RemoveOldAsync(now.AddHours(-limits.KeepHours), limits.MaxPerTenant, cancellationToken);
    }

    private async Task EndAsync(DateTime before, Action progress, CancellationToken cancellationToken)
    {
        while (await store.SilentAsync(before, Step, cancellationToken) is { Count: > 0 } silent)
        {
            var running = await store.RunningAsync([.. silent.Select(w => w.Name).Distinct(StringComparer.Ordinal)], cancellationToken);
            var lost = silent.ToLookup(w => IsLost(w, running.GetValueOrDefault((w.Name, w.Credential))), w => w.Id);
            var ended = await store.EndAsync([.. lost[true]], WorkerState.Lost, before, cancellationToken);
            metrics.Lost(ended);
            ended += await store.EndAsync([.. lost[false]], WorkerState.Stopped, before, cancellationToken);
            progress();
            if (ended == 0 || silent.Count < Step)
                return;
        }
    }

    /// <summary>A drained worker may be silent, and one that need not contact the engine without tasks.</summary>
    private static bool IsLost(WorkerRecord worker, int running) =>
        running > 0 || (!worker.Draining && WorkerContact.IsContinuous(worker.Transport))
        || (!WorkerContact.IsContinuous(worker.Transport) && worker.LostRetried + worker.LostFailed > 0);
}
