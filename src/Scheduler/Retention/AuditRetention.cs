using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Audit;

namespace TaskQueue.Scheduler.Retention;

/// <summary>Removes old audit records.</summary>
internal sealed class AuditRetention(IAuditStore audit, IOptions<AuditOptions> options, TimeProvider time) : IMaintenanceJob
{
    public Task<long> RunAsync(Action progress, CancellationToken cancellationToken) => RemoveInSteps.RunAsync(
        () => audit.RemoveAsync(Micros.Now(time).AddDays(-options.Value.KeepDays), RemoveInSteps.Max), progress, time, cancellationToken);
}
