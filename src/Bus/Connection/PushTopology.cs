using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Bus.Connection;

/// <summary>
/// Declares quorum queues and their exchanges, as MassTransit does for a consumer, before there is a consumer: otherwise messages to a
/// missing queue would be dropped. Also empties them.
/// </summary>
public sealed class PushTopology(BusAddress address)
{
    /// <summary>Declares the engine's own queues and the declared push queues.</summary>
    public Task DeclareAllAsync(IEnumerable<QueueRecord> queues) =>
        DeclareAsync([Addresses.SubmitQueue, Addresses.ReportQueue, .. queues.Where(q => q.Delivery == Delivery.Push).Select(q => q.Name)]);

    /// <summary>Declares a queue that was deleted, or is not declared yet.</summary>
    /// <returns>Null, or why the broker refuses it.</returns>
    internal async Task<string?> TryDeclareAsync(string name)
    {
        try
        {
            await DeclareAsync(name);
            return null;
        }
        catch (BrokerUnreachableException fault)
        {
            throw new BrokerSilentException("the broker is unavailable", fault);
        }
        catch (OperationInterruptedException fault)
        {
            return fault.Message;
        }
    }

    /// <summary>Drops the messages of a queue that no worker has received.</summary>
    public async Task EmptyAsync(string name, CancellationToken cancellationToken)
    {
        if (address.RabbitMq is null)
            return;
        await using var connection = await address.NewFactory().CreateConnectionAsync(cancellationToken);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        try
        {
            await channel.QueuePurgeAsync(name, cancellationToken);
        }
        catch (OperationInterruptedException fault) when (fault.ShutdownReason?.ReplyCode == Constants.NotFound)
        {
            // Somebody deleted the queue at the broker: there is nothing to drop.
        }
    }

    /// <summary>Declares queues; existing ones are unchanged.</summary>
    public async Task DeclareAsync(params IEnumerable<string> names)
    {
        if (address.RabbitMq is null)
            return;
        await using var connection = await address.NewFactory().CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        foreach (var name in names)
        {
            await channel.ExchangeDeclareAsync(name, ExchangeType.Fanout, durable: true);
            await channel.QueueDeclareAsync(name, durable: true, exclusive: false, autoDelete: false,
                arguments: new Dictionary<string, object?> { ["x-queue-type"] = "quorum" });
            await channel.QueueBindAsync(name, name, routingKey: "");
            if (name is not (Addresses.SubmitQueue or Addresses.ReportQueue))
                await channel.ExchangeDeclareAsync(Addresses.EndedOf(name), ExchangeType.Fanout, durable: true);
        }
    }
}
