using Microsoft.Extensions.Options;
using TaskQueue.Engine.Audit;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Scheduler.Retention;

/// <summary>Removes old audit records in small steps. Several processes may do it at once.</summary>
internal sealed class AuditRetention(AuditQueries audit, IOptions<AuditOptions> options, PollingServices services) : PollingService(services)
{
    private const int MaxBatch = 500;

    private static readonly TimeSpan LookAgain = TimeSpan.FromMinutes(5);

    protected override async Task<TimeSpan> TurnAsync(CancellationToken cancellationToken)
    {
        var start = Time.GetTimestamp();
        var removed = await audit.RemoveAsync(Micros.Now(Time).AddDays(-options.Value.KeepDays), MaxBatch);
        return removed < MaxBatch ? LookAgain : Time.GetElapsedTime(start); // a pause as long as the step took
    }
}
