using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Health;

/// <summary>Dependencies of every polling loop.</summary>
/// <param name="Heartbeats">Health of the loops.</param>
/// <param name="Dependencies">Tells an outage of the database or broker from other exceptions.</param>
/// <param name="Time">The clock.</param>
/// <param name="Loggers">Creates the logger of the loop.</param>
public sealed record PollingServices(LoopHeartbeats Heartbeats, DependencyHealth Dependencies, TimeProvider Time, ILoggerFactory Loggers);

/// <summary>
/// A loop of iterations with waits between them. A failed iteration is logged and retried; the health check detects a loop whose iterations
/// all fail, and one that hangs.
/// </summary>
/// <param name="services">Dependencies of the loop.</param>
public abstract partial class PollingService(PollingServices services) : BackgroundService
{
    /// <summary>The wait after a failed iteration.</summary>
    protected virtual TimeSpan AfterFault => TimeSpan.FromSeconds(5);

    private LoopHeartbeat? _heartbeat;

    /// <summary>The clock.</summary>
    protected TimeProvider Time => services.Time;

    /// <summary>The health of the database and the broker.</summary>
    protected DependencyHealth Dependencies => services.Dependencies;

    /// <summary>The logger of the loop.</summary>
    protected ILogger Logger => field ??= services.Loggers.CreateLogger(GetType());

    /// <summary>Runs one iteration.</summary>
    /// <param name="cancellationToken">Cancelled when the process stops.</param>
    /// <returns>The wait until the next iteration.</returns>
    protected abstract Task<TimeSpan> PollAsync(CancellationToken cancellationToken);

    /// <summary>Waits between two polls. Override it to wake up earlier, or to wait for ever while there is no work.</summary>
    /// <param name="wait">What the last poll returned.</param>
    /// <param name="cancellationToken">Cancelled when the process stops.</param>
    protected virtual Task WaitAsync(TimeSpan wait, CancellationToken cancellationToken) => Task.Delay(wait, Time, cancellationToken);

    /// <summary>Runs once after the last poll, while the process stops.</summary>
    protected virtual Task EndAsync() => Task.CompletedTask;

    /// <summary>Records progress within a long iteration, so that the loop does not appear to hang.</summary>
    protected void Beat() => _heartbeat?.Beat();

    /// <summary>Runs an action whose exceptions are only logged, such as the last iteration while the process stops.</summary>
    /// <param name="act">The action.</param>
    /// <param name="cancellationToken">Ends the action without an exception.</param>
    /// <returns>The exception, unless the database or the broker is unreachable.</returns>
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
#pragma warning disable CA1031 // the next iteration retries
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
        var succeeded = true;
        while (!stoppingToken.IsCancellationRequested)
        {
            if (succeeded)
                heartbeat.Beat();
            succeeded = false;
            var wait = AfterFault;
            var fault = await TryAsync(async () =>
            {
                wait = await PollAsync(stoppingToken);
                heartbeat.Succeeded();
                succeeded = true;
            }, stoppingToken);
            if (fault is not null)
                heartbeat.Failed(fault);
            // A loop that only meets an outage has no heartbeat either: the grace period of outages decides whether that counts.
            if (succeeded)
                heartbeat.Rest();
            var waiting = succeeded ? WaitAsync(wait, stoppingToken) : Task.Delay(wait, Time, stoppingToken);
            await waiting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await EndAsync();
    }

    [LoggerMessage(LogLevel.Warning, "An iteration of {Loop} failed; retrying")]
    private static partial void LogFailed(ILogger logger, Exception fault, string loop);
}
