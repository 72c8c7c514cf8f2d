using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Scheduler.Retention;

/// <summary>Removes delivered and abandoned callbacks with their logs.</summary>
internal sealed class CallbackRetention(ICallbackStore store, IOptions<EngineOptions> engine, TimeProvider time) : IMaintenanceJob
{
    public Task<long> RunAsync(Action progress, CancellationToken cancellationToken) => RemoveInSteps.RunAsync(
        () => store.RemoveSettledAsync(Micros.Now(time) - engine.Value.KeepFinished, RemoveInSteps.Max), progress, time, cancellationToken);
}
