using MassTransit;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;
using TaskQueue.Engine;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Bus.Connection;

/// <summary>
/// Bounds publishes whose confirm never arrives. When a connection breaks, the RabbitMQ client can leave a publish waiting forever: it
/// disposes the channel's semaphore that others wait for. And a broker that blocks publishers confirms nothing while its disk is full.
/// Sending again is safe, because all messages are delivered at least once. An abandoned publish stays in the bus and uses memory: while
/// the connection is the same, nothing is sent after it.
/// </summary>
public sealed class ConfirmTimeout : IReceiveEndpointObserver
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Age after which an abandoned publish is assumed never to complete.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    private readonly IBusControl _bus;
    private readonly DependencyHealth _dependencies;
    private readonly TimeProvider _time;
    private long? _lostAt;
    private bool _toldOfLoss;
    private long _givenUpAt;
    private volatile Task? _givenUp;

    /// <param name="bus">The bus, to check its connection.</param>
    /// <param name="dependencies">Reports that the broker does not answer.</param>
    /// <param name="time">The clock.</param>
    public ConfirmTimeout(IBusControl bus, DependencyHealth dependencies, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(bus);
        (_bus, _dependencies, _time) = (bus, dependencies, time);
        bus.ConnectReceiveEndpointObserver(this);
    }

    /// <summary>Whether all endpoints of this process are connected to the broker.</summary>
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

            // A starting or stopping bus is briefly disconnected.
            if (_time.GetElapsedTime(_lostAt ??= _time.GetTimestamp()) >= Patience)
            {
                _dependencies.Broker.ReportFailure("not connected");
                _toldOfLoss = true;
            }

            return false;
        }
    }

    /// <summary>Sends and waits for the confirm; one caller at a time.</summary>
    /// <param name="send">The send. It continues after a timeout: it must not be cancelled, which breaks the client's channel.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
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

    /// <summary>Reports an exception that is part of a broker outage.</summary>
    /// <returns>False if it is something else.</returns>
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

    /// <summary>Whether the broker is reachable but rejects a message, such as one that is too large; it then closes the channel.</summary>
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

    /// <summary>The connection is lost or new: sends on the old one no longer matter.</summary>
    private Task Forget()
    {
        _givenUp = null;
        return Task.CompletedTask;
    }

    /// <returns>Whether it completed in time, successfully or not.</returns>
    private async Task<bool> EndsAsync(Task sending, CancellationToken cancellationToken)
    {
        await sending.WaitAsync(Patience, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        return sending.IsCompleted;
    }

    private static BrokerSilentException Silent() => new($"the broker did not confirm within {Patience.TotalSeconds:0} s");
}
