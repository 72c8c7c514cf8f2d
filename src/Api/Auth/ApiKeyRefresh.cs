using TaskQueue.Engine.Health;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Api.Auth;

/// <summary>Reads the issued keys every second, so that a key that another process revoked is refused, and writes their last use.</summary>
internal sealed partial class ApiKeyRefresh(IssuedKeys keys, Pulses pulses, Outages outages, TimeProvider time, ILogger<ApiKeyRefresh> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan BetweenWrites = TimeSpan.FromSeconds(5);

    private long _written;

    /// <inheritdoc />
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await TryAsync(() => keys.WriteLastUseAsync(cancellationToken));
    }

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pulse = pulses.Of(GetType());
        _written = time.GetTimestamp();
        while (!stoppingToken.IsCancellationRequested)
        {
            await TryAsync(() => RunAsync(stoppingToken));
            pulse.Beat();
            await Task.Delay(Interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task RunAsync(CancellationToken stoppingToken)
    {
        await keys.RefreshAsync(stoppingToken);
        if (time.GetElapsedTime(_written) < BetweenWrites)
            return;
        _written = time.GetTimestamp();
        await keys.WriteLastUseAsync(stoppingToken);
    }

    private async Task TryAsync(Func<Task> run)
    {
        try
        {
            await run();
        }
        catch (OperationCanceledException)
        {
            // The process ends.
        }
#pragma warning disable CA1031 // the next round tries again; until then the keys of the last round count
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!outages.Covers(fault))
                LogFailed(fault);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Reading the issued keys failed; trying again")]
    private partial void LogFailed(Exception fault);
}
