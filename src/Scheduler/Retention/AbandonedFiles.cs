using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Files;

namespace TaskQueue.Scheduler.Retention;

/// <summary>Removes uploads that were never finished, and contents that have no row. Several processes may do it at once.</summary>
internal sealed partial class AbandonedFiles(FileVerbs files, TimeProvider time, ILogger<AbandonedFiles> logger) : BackgroundService
{
    /// <summary>What is left is a day old, and nobody sees it.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                while (await files.RemoveAbandonedAsync() > 0)
                    stoppingToken.ThrowIfCancellationRequested();
                await files.RemoveStraysAsync();
            }
#pragma warning disable CA1031 // the next round tries again
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                LogFailed(fault);
            }

            await Task.Delay(LookAgain, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Removing broken uploads failed; trying again")]
    private partial void LogFailed(Exception fault);
}
