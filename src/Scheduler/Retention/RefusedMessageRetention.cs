using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Quarantine;

namespace TaskQueue.Scheduler.Retention;

/// <summary>
/// Removes messages refused on the bus: old entries, and the oldest entries of an owner with too many. Senders control their number,
/// so without a limit they could fill the database.
/// </summary>
internal sealed partial class RefusedMessageRetention(
    IQuarantineStore quarantine, IOptions<QuarantineOptions> options, TimeProvider time, ILogger<RefusedMessageRetention> logger)
    : IMaintenanceJob
{
    public async Task<long> RunAsync(Action progress, CancellationToken cancellationToken)
    {
        var removed = await RemoveInSteps.RunAsync(
            () => quarantine.RemoveMessagesAsync(
                Micros.Now(time).AddDays(-options.Value.KeepMessagesDays), RemoveInSteps.Max, cancellationToken),
            progress, time, cancellationToken);
        while (await quarantine.FindCrowdAsync(options.Value.MaxMessages, cancellationToken) is { } crowd)
        {
            var start = time.GetTimestamp();
            var excess = await quarantine.RemoveMessagesAsync(crowd.Owner, Math.Min(crowd.Excess, RemoveInSteps.Max), cancellationToken);
            LogCrowd(excess, crowd.Owner, options.Value.MaxMessages);
            progress();
            if (excess == 0)
                break;
            removed += excess;
            await Task.Delay(time.GetElapsedTime(start), time, cancellationToken);
        }

        return removed;
    }

    [LoggerMessage(LogLevel.Warning, "Removed {Count} refused messages of {Owner} from the quarantine, which keeps {Max} of each owner")]
    private partial void LogCrowd(int count, string? owner, int max);
}
