using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Audit;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Scheduler.Retention;

/// <summary>Removes old audit records in small steps. Several processes may do it at once.</summary>
internal sealed partial class AuditRetention(
    AuditQueries audit, IOptions<AuditOptions> options, Outages outages, TimeProvider time, ILogger<AuditRetention> logger) : BackgroundService
{
    private const int MaxBatch = 500;
    private static readonly TimeSpan LookAgain = TimeSpan.FromMinutes(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var wait = LookAgain;
            try
            {
                var start = time.GetTimestamp();
                if (await audit.RemoveAsync(Micros.Now(time).AddDays(-options.Value.KeepDays), MaxBatch) == MaxBatch)
                    wait = time.GetElapsedTime(start); // a pause as long as the step took
            }
#pragma warning disable CA1031 // the next round tries again
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                if (!outages.Covers(fault))
                    LogFailed(fault);
            }

            await Task.Delay(wait, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Removing old audit records failed; trying again")]
    private partial void LogFailed(Exception fault);
}
