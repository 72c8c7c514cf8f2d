using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Scheduler.Retention;

/// <summary>
/// Removes the rows of tasks that are gone: deleted, or finished so long ago that nobody needs them. In small batches with
/// pauses as long as they took, so that claims find the database free half of the time. Several processes share the work.
/// </summary>
internal sealed partial class RetentionService(IQueueStore store, Pulses pulses, Outages outages, TimeProvider time, ILogger<RetentionService> logger) : BackgroundService
{
    private const int MaxBatch = 500;
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan AfterFault = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pulse = pulses.Of(GetType());
        while (!stoppingToken.IsCancellationRequested)
        {
            var wait = AfterFault;
            try
            {
                var start = time.GetTimestamp();
                var removed = await store.RemoveDeletedAsync(Micros.Now(time), MaxBatch);
                wait = removed < MaxBatch ? LookAgain : time.GetElapsedTime(start);
                pulse.Succeeded();
            }
#pragma warning disable CA1031 // the next round tries again
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                if (!outages.Covers(fault))
                {
                    pulse.Failed(fault);
                    LogFailed(fault);
                }
            }

            await Task.Delay(wait, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Removing finished tasks failed; trying again")]
    private partial void LogFailed(Exception fault);
}
