using MassTransit;
using TaskQueue.Bus.Connection;
using TaskQueue.Bus.Health;
using TaskQueue.Bus.Senders;

namespace TaskQueue.Bus;

/// <summary>Adds endpoints that bring work and can be stopped while the bus continues to carry reports.</summary>
public sealed class WorkEndpoints(IReceiveEndpointConnector connector, BusAddress address, ConsumerLiveness liveness)
{
    /// <summary>Starts consuming from a durable queue (a quorum queue on RabbitMQ); unfinished messages return to it.</summary>
    /// <param name="name">The queue.</param>
    /// <param name="prefetch">Maximum unacknowledged messages.</param>
    /// <param name="configure">Configures the consumers.</param>
    public HostReceiveEndpointHandle Connect(string name, ushort prefetch,
        Action<IRegistrationContext, IReceiveEndpointConfigurator> configure) =>
        connector.ConnectReceiveEndpoint(name, (context, endpoint) =>
        {
            FailedMessages.Requeue(endpoint);
            Shape(endpoint, prefetch, context);
            configure(context, endpoint);
            if (address.RabbitMq is not null)
                Watch(liveness, name, context, endpoint);
        });

    /// <summary>Adds the canary consumer to an endpoint and starts sending canaries to it.</summary>
    internal static void Watch(ConsumerLiveness liveness, string name, IRegistrationContext context, IReceiveEndpointConfigurator endpoint)
    {
        endpoint.ConfigureConsumer<CanaryConsumer>(context);
        liveness.Watch(name, endpoint.InputAddress);
    }

    internal static void Shape(IReceiveEndpointConfigurator endpoint, ushort prefetch, IRegistrationContext context)
    {
        if (endpoint is IRabbitMqReceiveEndpointConfigurator rabbitMq)
            rabbitMq.SetQuorumQueue();
        endpoint.PrefetchCount = prefetch;
        endpoint.ConfigureConsumeTopology = false;
        FailedMessages.Move(endpoint, context);
    }
}
