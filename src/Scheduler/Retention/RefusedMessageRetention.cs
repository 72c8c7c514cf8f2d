using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Scheduler.Retention;

/// <summary>
/// Removes what was refused on the bus: old entries, and the oldest of an owner that has too many. Their senders decide how many there
/// are, so without an end they would fill the database.
/// </summary>
internal sealed partial class RefusedMessageRetention(QuarantineStore quarantine, IOptions<QuarantineOptions> options, PollingServices services)
    : PollingService(services)
{
    private const int MaxBatch = 500;

    private static readonly TimeSpan LookAgain = TimeSpan.FromMinutes(1);

    protected override async Task<TimeSpan> TurnAsync(CancellationToken cancellationToken)
    {
        var start = Time.GetTimestamp();
        var old = await quarantine.RemoveMessagesAsync(Micros.Now(Time).AddDays(-options.Value.KeepMessagesDays), MaxBatch, cancellationToken);
        var excess = 0;
        if (await quarantine.FindCrowdAsync(options.Value.MaxMessages, cancellationToken) is { } crowd)
        {
            excess = await quarantine.RemoveMessagesAsync(crowd.Owner, Math.Min(crowd.Excess, MaxBatch), cancellationToken);
            LogCrowd(Logger, excess, crowd.Owner, options.Value.MaxMessages);
        }

        return old < MaxBatch && excess == 0 ? LookAgain : Time.GetElapsedTime(start); // a pause as long as the step took
    }

    [LoggerMessage(LogLevel.Warning, "Removed {Count} refused messages of {Owner} from the quarantine, which keeps {Max} of each owner")]
    private static partial void LogCrowd(ILogger logger, int count, string? owner, int max);
}
