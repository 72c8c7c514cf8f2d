using MassTransit;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;
using TaskQueue.Engine;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Bus.Connection;

/// <summary>
/// Sends that end, and do not pile up. When a connection breaks, the RabbitMQ client can leave a publish waiting for ever: it
/// disposes the semaphore of the channel that others wait for; and a broker that blocks its publishers confirms nothing while its
/// disk is full. So nobody waits for a confirm longer than a while; sending again is safe, because everything on the bus may come
/// twice. What was given up on is still inside the bus and takes memory: while the connection is the same, nothing is sent behind it.
/// </summary>
public sealed class ConfirmTimeout : IReceiveEndpointObserver
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>A publish that was given up on so long ago is taken for one that will never end.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    private readonly IBusControl _bus;
    private readonly DependencyHealth _dependencies;
    private readonly TimeProvider _time;
    private long? _lostAt;
    private bool _toldOfLoss;
    private long _givenUpAt;
    private volatile Task? _givenUp;

    /// <param name="bus">The bus, to see whether it is connected.</param>
    /// <param name="dependencies">Where to say that the broker does not answer.</param>
    /// <param name="time">The clock.</param>
    public ConfirmTimeout(IBusControl bus, DependencyHealth dependencies, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(bus);
        (_bus, _dependencies, _time) = (bus, dependencies, time);
        bus.ConnectReceiveEndpointObserver(this);
    }

    /// <summary>Whether every endpoint of this process is connected to its broker.</summary>
    public bool IsConnected
    {
        get
        {
            if (_bus.CheckHealth().Status == BusHealthStatus.Healthy)
            {
                _lostAt = null;
                if (_toldOfLoss)
                    _dependencies.Broker.ReportSuccess();
                _toldOfLoss &= _dependencies.Broker.IsOn;
                return true;
            }

            // A bus that starts or stops is not connected for a moment.
            if (_time.GetElapsedTime(_lostAt ??= _time.GetTimestamp()) >= Patience)
            {
                _dependencies.Broker.ReportFailure("not connected");
                _toldOfLoss = true;
            }

            return false;
        }
    }

    /// <summary>Sends, and waits until it is confirmed; for one caller at a time.</summary>
    /// <param name="send">What is begun goes on where this gives up: it must not be cancelled, which breaks the client's channel.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="BrokerSilentException">It was not confirmed in time and may or may not have been sent.</exception>
    public async Task ConfirmedAsync(Func<Task> send, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(send);
        if (_givenUp is { } before && _time.GetElapsedTime(_givenUpAt) < Longest && !await EndsAsync(before, cancellationToken)
            && _givenUp == before)
            throw Silent();
        _givenUp = null;
        var sending = send();
        if (!await EndsAsync(sending, cancellationToken))
        {
            (_givenUpAt, _givenUp) = (_time.GetTimestamp(), sending);
            throw Silent();
        }

        await sending;
        _dependencies.Broker.ReportSuccess();
    }

    /// <summary>Counts a fault that is part of an outage of the broker.</summary>
    /// <returns>False where it is something else.</returns>
    public bool Covers(Exception fault)
    {
        ArgumentNullException.ThrowIfNull(fault);
        if (IsRefusal(fault))
            return false;
        if (fault is not (BrokerSilentException or ConnectionException or RabbitMQClientException) && IsConnected)
            return false;
        _dependencies.Broker.ReportFailure(fault.Message);
        return true;
    }

    /// <summary>
    /// Whether the broker is there and refuses what it was sent, such as a message that is too large; it closes the channel then.
    /// </summary>
    internal static bool IsRefusal(Exception fault) =>
        fault switch
        {
            OperationInterruptedException { ShutdownReason.ReplyCode: Constants.ContentTooLarge or Constants.PreconditionFailed } => true,
            { InnerException: { } inner } => IsRefusal(inner),
            _ => false,
        };

    Task IReceiveEndpointObserver.Ready(ReceiveEndpointReady ready) => Forget();

    Task IReceiveEndpointObserver.Stopping(ReceiveEndpointStopping stopping) => Task.CompletedTask;

    Task IReceiveEndpointObserver.Completed(ReceiveEndpointCompleted completed) => Forget();

    Task IReceiveEndpointObserver.Faulted(ReceiveEndpointFaulted faulted) => Forget();

    /// <summary>The connection was lost, or is a new one: what waits for the old one does not matter any more.</summary>
    private Task Forget()
    {
        _givenUp = null;
        return Task.CompletedTask;
    }

    /// <returns>Whether it ended, however, within a while.</returns>
    private async Task<bool> EndsAsync(Task sending, CancellationToken cancellationToken)
    {
        await sending.WaitAsync(Patience, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        return sending.IsCompleted;
    }

    private static BrokerSilentException Silent() => new($"the broker did not confirm within {Patience.TotalSeconds:0} s");
}
