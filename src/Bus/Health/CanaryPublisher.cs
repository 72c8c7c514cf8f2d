using System.Text;
using Microsoft.Extensions.Options;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;
using TaskQueue.Bus.Connection;
using TaskQueue.Engine.Health;

namespace TaskQueue.Bus.Health;

/// <summary>
/// Publishes canaries over a connection of its own, so that a confirm proves that the broker is reachable, whatever the state of the bus
/// connection.
/// </summary>
internal sealed class CanaryPublisher(BusAddress address, ConsumerLiveness liveness, OutageGracePeriod gracePeriod,
    IOptions<HealthOptions> options, TimeProvider time)
    : IDependencyProbe, IAsyncDisposable
{
    private static readonly CreateChannelOptions Confirmed = new(publisherConfirmationsEnabled: true,
        publisherConfirmationTrackingEnabled: true);

    private static readonly ReadOnlyMemory<byte> Body =
        Encoding.UTF8.GetBytes($$"""{"messageType":["{{MassTransit.MessageUrn.ForTypeString<Canary>()}}"],"message":{ } }""");

    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(1);

    private IConnection? _connection;

    public async ValueTask DisposeAsync() =>
        await AbandonAsync(Interlocked.Exchange(ref _connection, null)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    /// <summary>Sends a canary to each endpoint. An unconsumed canary expires after a few more were sent.</summary>
    /// <param name="timeout">Maximum wait for the broker.</param>
    public async Task ProbeAsync(TimeSpan timeout)
    {
        var sent = false;
        try
        {
            var connection = await ConnectAsync(timeout);
            sent = (await Task.WhenAll(liveness.Probes.Select(e => TrySendAsync(connection, e, timeout)))).All(s => s);
        }
#pragma warning disable CA1031 // any exception means that the broker is unreachable for now
        catch (Exception)
#pragma warning restore CA1031
        {
            // As below.
        }

        if (sent)
            return;
        gracePeriod.BrokerIsAway();
        _ = AbandonAsync(Interlocked.Exchange(ref _connection, null)); // a broker that accepts nothing may not answer the close either
    }

    private async Task<IConnection> ConnectAsync(TimeSpan patience)
    {
        if (_connection is { IsOpen: true })
            return _connection;
        _ = AbandonAsync(Interlocked.Exchange(ref _connection, null));
        var factory = address.NewFactory();
        factory.ClientProvidedName = "taskqueue canary";
        factory.AutomaticRecoveryEnabled = false;
        factory.RequestedConnectionTimeout = factory.ContinuationTimeout = factory.HandshakeContinuationTimeout = patience;
        return _connection = await factory.CreateConnectionAsync();
    }

    private static async Task AbandonAsync(IConnection? connection)
    {
        if (connection is null)
            return;
        await connection.AbortAsync(Farewell);
        await connection.DisposeAsync();
    }

    /// <returns>Whether the broker answered.</returns>
    private async Task<bool> TrySendAsync(IConnection connection, EndpointProbe probe, TimeSpan patience)
    {
        var at = time.GetTimestamp();
        var publishing = PublishAsync(connection, probe.Queue);
        try
        {
            await publishing.WaitAsync(patience, time);
        }
        catch (PublishException nobody) when (nobody.IsReturn)
        {
            // The broker is reachable, but the queue is missing: its consumer receives nothing.
        }
        catch (OperationInterruptedException missing) when (missing.ShutdownReason?.ReplyCode == Constants.NotFound)
        {
            // Same for its exchange.
        }
#pragma warning disable CA1031 // no confirm: an alarm, a queue without a majority, or no broker
        catch (Exception)
#pragma warning restore CA1031
        {
            _ = publishing.ContinueWith(static t => _ = t.Exception, TaskScheduler.Default);
            probe.Ignore();
            return false;
        }

        probe.Sent(at);
        return true;
    }

    private async Task PublishAsync(IConnection connection, string queue)
    {
        await using var channel = await connection.CreateChannelAsync(Confirmed);
        var properties = new BasicProperties
        {
            ContentType = "application/vnd.masstransit+json",
            Expiration = $"{options.Value.UnresponsiveAfter.TotalMilliseconds:0}",
            UserId = address.User,
        };
        await channel.BasicPublishAsync(exchange: queue, routingKey: "", mandatory: true, properties, Body);
    }
}
