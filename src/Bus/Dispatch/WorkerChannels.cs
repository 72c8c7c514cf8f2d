using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;
using TaskQueue.Bus.Connection;
using TaskQueue.Engine;

namespace TaskQueue.Bus.Dispatch;

/// <summary>
/// Sends to the exchanges of workers, each over a channel of its own on a connection of its own: a message that is too large closes its
/// channel, and the broker blocks the channel of a queue without leader. MassTransit has one channel for all that it sends, and repeats a
/// refused message by itself, for hours. Channels are few, however many exchanges there are: one that is needed takes the place of the one
/// that has been idle longest.
/// </summary>
internal sealed class WorkerChannels(BusAddress address, TimeProvider time) : IAsyncDisposable
{
    /// <summary>Maximum wait for a confirm.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Maximum of open channels, and of those that the broker permits on a connection (2,047 by default) the part that is used: one that is
    /// being closed still counts there, for long if its queue has no leader.
    /// </summary>
    private const int MaxChannels = 500, PartOfPermitted = 2;

    private readonly ChannelPool _channels = new(time);
    private readonly SemaphoreSlim _connecting = new(1);
    private IConnection? _connection;
    private volatile bool _isBlocked;
    private long _failedAt = long.MinValue; // when the last try to connect failed

    /// <summary>Sends a message and waits for the confirm; one message of an exchange at a time, so that it alone is to blame.</summary>
    /// <param name="exchange">The exchange.</param>
    /// <param name="message">The message.</param>
    /// <param name="demandQueue">Whether a queue must be bound to the exchange.</param>
    /// <exception cref="BrokerSilentException">The broker is away, or accepts nothing at all.</exception>
    public Task<SendResult> SendAsync<T>(string exchange, T message, bool demandQueue)
        where T : class =>
        SendAsync(exchange, BusMessage.Of(message, address.User), demandQueue);

    /// <summary>Sends a serialized message.</summary>
    public async Task<SendResult> SendAsync(string exchange, BusMessage sent, bool demandQueue)
    {
        var own = await _channels.EnterAsync(exchange);
        try
        {
            return await SendAsync(own, exchange, sent, demandQueue);
        }
        finally
        {
            _channels.Leave(own);
        }
    }

    /// <summary>Whether the broker answers on this connection, whatever one of its queues does.</summary>
    public async Task<bool> AnswersAsync()
    {
        try
        {
            return !_isBlocked && await AnswersAsync(await ConnectAsync());
        }
        catch (BrokerSilentException)
        {
            return false;
        }
    }

    /// <summary>Counts the messages that wait in a queue, and its consumers; null if the broker does not tell at once.</summary>
    public async Task<QueueDeclareOk?> CountAsync(string queue)
    {
        var counting = CountNowAsync(queue);
        await ((Task)counting).WaitAsync(Farewell, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (counting.IsCompletedSuccessfully)
            return await counting;
        _ = counting.ContinueWith(static c => _ = c.Exception, TaskScheduler.Default); // a queue without leader answers late
        return null;
    }

    public async ValueTask DisposeAsync()
    {
        _channels.Dispose();
        _connecting.Dispose();
        await AbandonAsync(_connection).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task<QueueDeclareOk> CountNowAsync(string queue)
    {
        await using var channel = await (await ConnectAsync()).CreateChannelAsync();
        return await channel.QueueDeclarePassiveAsync(queue);
    }

    private async Task<SendResult> SendAsync(ExchangeChannel own, string exchange, BusMessage message, bool demandQueue)
    {
        var connection = await ConnectAsync();
        try
        {
            if (own.Channel is not { IsOpen: true })
                await _channels.OpenAsync(own, connection);
            var sending = own.Channel!.BasicPublishAsync(exchange, routingKey: "", demandQueue, message.Properties, message.Body).AsTask();
            _ = sending.ContinueWith(static s => _ = s.Exception, TaskScheduler.Default); // if it is abandoned
            await sending.WaitAsync(Patience, time);
            return new(SendOutcome.Confirmed);
        }
        catch (PublishException returned) when (returned.IsReturn)
        {
            return new(SendOutcome.NoQueue, "it has no queue");
        }
        catch (PublishException)
        {
            _channels.Close(own); // RabbitMQ does not tell this channel that the limit was removed
            return new(SendOutcome.Refused, "its queue takes no more");
        }
        catch (OperationInterruptedException closed)
            when (connection.IsOpen && closed.ShutdownReason is { Initiator: ShutdownInitiator.Peer })
        {
            _channels.Close(own);
            return Of(closed.ShutdownReason);
        }
        catch (TimeoutException) when (!_isBlocked && connection.IsOpen)
        {
            _channels.Close(own);
            if (!await AnswersAsync(connection))
                throw Silent(connection, null);
            return new(SendOutcome.Silent, $"its queue has not confirmed within {Patience.TotalSeconds:0} s");
        }
#pragma warning disable CA1031 // the connection is lost or blocked
        catch (Exception fault)
#pragma warning restore CA1031
        {
            _channels.Close(own);
            throw Silent(connection, fault);
        }
    }

    /// <summary>Why the broker closed the channel of a message.</summary>
    private static SendResult Of(ShutdownEventArgs reason) =>
        reason.ReplyCode switch
        {
            Constants.NotFound => new(SendOutcome.NoQueue, reason.ReplyText),
            Constants.ContentTooLarge => new(SendOutcome.TooLarge, reason.ReplyText),
            // Only its text tells it from other conditions.
            Constants.PreconditionFailed when reason.ReplyText.Contains("message size", StringComparison.OrdinalIgnoreCase) =>
                new(SendOutcome.TooLarge, reason.ReplyText),
            _ => new(SendOutcome.Refused, reason.ReplyText),
        };

    private async Task<IConnection> ConnectAsync()
    {
        var asked = time.GetTimestamp();
        await _connecting.WaitAsync();
        try
        {
            if (_connection is { IsOpen: true })
                return _connection;
            if (_failedAt >= asked)
                throw new BrokerSilentException("the broker was not reached a moment ago"); // else each in the line waits as long
            _ = AbandonAsync(_connection);
            _isBlocked = false;
            var factory = address.NewFactory();
            factory.ClientProvidedName = "taskqueue dispatch";
            factory.AutomaticRecoveryEnabled = false;
            factory.RequestedConnectionTimeout = factory.ContinuationTimeout = factory.HandshakeContinuationTimeout = Patience;
            var connection = await factory.CreateConnectionAsync();
            connection.ConnectionBlockedAsync += (_, _) => Blocked(true);
            connection.ConnectionUnblockedAsync += (_, _) => Blocked(false);
            var permitted = connection.ChannelMax == 0 ? int.MaxValue : connection.ChannelMax / PartOfPermitted;
            _channels.SetMax(Math.Clamp(permitted, 1, MaxChannels));
            return _connection = connection;
        }
        catch (Exception fault) when (fault is not (ObjectDisposedException or BrokerSilentException))
        {
            _failedAt = time.GetTimestamp();
            throw Silent(null, fault);
        }
        finally
        {
            _connecting.Release();
        }

        Task Blocked(bool isBlocked)
        {
            _isBlocked = isBlocked;
            return Task.CompletedTask;
        }
    }

    private static async Task<bool> AnswersAsync(IConnection connection)
    {
        try
        {
            await using var channel = await connection.CreateChannelAsync();
            return true;
        }
#pragma warning disable CA1031 // whatever the exception, the broker does not answer
        catch (Exception)
#pragma warning restore CA1031
        {
            return false;
        }
    }

    /// <summary>What was sent on the connection and is not confirmed uses memory until it is closed.</summary>
    private BrokerSilentException Silent(IConnection? connection, Exception? fault)
    {
        if (connection is not null)
        {
            Interlocked.CompareExchange(ref _connection, null, connection);
            _ = AbandonAsync(connection);
        }

        return new("the broker does not accept dispatches", fault);
    }

    private static async Task AbandonAsync(IConnection? connection)
    {
        if (connection is null)
            return;
        await connection.AbortAsync(Farewell);
        await connection.DisposeAsync();
    }
}
