using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Failures;

namespace TaskQueue.Scheduler.Retention;

/// <summary>Removes groups of failures that were resolved, or not seen, long ago.</summary>
internal sealed class FailureRetention(IFailureStore failures, IOptions<FailureOptions> options, TimeProvider time) : IMaintenanceJob
{
    public async Task<long> RunAsync(Action progress, CancellationToken cancellationToken) =>
        await RemoveAsync(FailureState.Resolved, options.Value.KeepResolvedDays, progress, cancellationToken)
        + await RemoveAsync(null, options.Value.KeepDays, progress, cancellationToken);

    private Task<long> RemoveAsync(FailureState? state, int days, Action progress, CancellationToken cancellationToken) =>
        RemoveInSteps.RunAsync(
            () => failures.RemoveAsync(state, Micros.Now(time).AddDays(-days), RemoveInSteps.Max), progress, time, cancellationToken);
}
