using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Audit;

/// <summary>Writes what <see cref="AuditLog"/> collects.</summary>
internal sealed partial class AuditWriter(AuditLog audit, Outages outages, TimeProvider time, ILogger<AuditWriter> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <inheritdoc />
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await FlushAsync(isLast: true);
    }

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(Interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await FlushAsync(isLast: false);
        }
    }

    private async Task FlushAsync(bool isLast)
    {
        try
        {
            await audit.FlushAsync(isLast);
        }
#pragma warning disable CA1031 // the next round tries again
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!outages.Covers(fault))
                LogFailed(fault);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Writing audit records failed; trying again")]
    private partial void LogFailed(Exception fault);
}
