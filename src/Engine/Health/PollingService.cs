using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Health;

/// <summary>What every loop needs.</summary>
/// <param name="Heartbeats">Where its health is kept.</param>
/// <param name="Dependencies">Tells a database or broker that is away from a fault.</param>
/// <param name="Time">The clock.</param>
/// <param name="Loggers">For the category of the loop.</param>
public sealed record PollingServices(LoopHeartbeats Heartbeats, DependencyHealth Dependencies, TimeProvider Time, ILoggerFactory Loggers);

/// <summary>
/// A loop of turns with waits between them. A turn that fails is logged and repeated; the health of the process sees a loop whose
/// turns all fail, and one that hangs.
/// </summary>
/// <param name="services">What it needs.</param>
public abstract partial class PollingService(PollingServices services) : BackgroundService
{
    /// <summary>The wait after a turn that failed.</summary>
    protected virtual TimeSpan AfterFault => TimeSpan.FromSeconds(5);

    private LoopHeartbeat? _heartbeat;

    /// <summary>The clock.</summary>
    protected TimeProvider Time => services.Time;

    /// <summary>The category of the loop.</summary>
    protected ILogger Logger => field ??= services.Loggers.CreateLogger(GetType());

    /// <summary>Does what is due.</summary>
    /// <param name="cancellationToken">The process stops.</param>
    /// <returns>The wait until the next turn.</returns>
    protected abstract Task<TimeSpan> PollAsync(CancellationToken cancellationToken);

    /// <summary>A part of a long turn is done: the loop does not hang.</summary>
    protected void Beat() => _heartbeat?.Beat();

    /// <summary>Does something whose fault is only logged, such as the last turn while the process stops.</summary>
    /// <param name="act">What is done.</param>
    /// <param name="cancellationToken">Ends it without a fault.</param>
    /// <returns>The fault, unless the database or the broker is away.</returns>
    protected async Task<Exception?> TryAsync(Func<Task> act, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(act);
        try
        {
            await act();
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The process stops.
        }
#pragma warning disable CA1031 // the next turn tries again
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!services.Dependencies.TryHandle(fault))
            {
                LogFailed(Logger, fault, LoopHeartbeats.NameOf(GetType()));
                return fault;
            }
        }

        return null;
    }

    /// <inheritdoc />
    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var heartbeat = _heartbeat = services.Heartbeats.Of(GetType());
        while (!stoppingToken.IsCancellationRequested)
        {
            heartbeat.Beat();
            var wait = AfterFault;
            var fault = await TryAsync(async () =>
            {
                wait = await PollAsync(stoppingToken);
                heartbeat.Succeeded();
            }, stoppingToken);
            if (fault is not null)
                heartbeat.Failed(fault);
            heartbeat.Rest();
            await Task.Delay(wait, Time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(LogLevel.Warning, "A turn of {Loop} failed; trying again")]
    private static partial void LogFailed(ILogger logger, Exception fault, string loop);
}
