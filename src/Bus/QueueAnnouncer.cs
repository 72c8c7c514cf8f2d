using MassTransit;
using RabbitMQ.Client.Exceptions;
using TaskQueue.Bus.Connection;
using TaskQueue.Engine;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Bus;

/// <summary>Declares push queues with <see cref="PushTopology"/> and publishes changes with MassTransit.</summary>
internal sealed class QueueAnnouncer(PushTopology topology, IBus bus) : IQueueAnnouncer
{
    public async Task DeclareAsync(string name)
    {
        try
        {
            await topology.DeclareAsync(name);
        }
        catch (BrokerUnreachableException fault)
        {
            throw new BrokerSilentException("the broker is unavailable", fault);
        }
    }

    public Task PublishChangedAsync(string name) => bus.Publish(new QueuesChanged([name]));
}
