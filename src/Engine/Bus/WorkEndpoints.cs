using MassTransit;

namespace TaskQueue.Engine.Bus;

/// <summary>Adds endpoints that bring work and can be stopped while the bus goes on to carry reports.</summary>
public sealed class WorkEndpoints(IReceiveEndpointConnector connector)
{
    /// <summary>Begins to consume from a durable queue (a quorum queue on RabbitMQ).</summary>
    /// <param name="name">The queue.</param>
    /// <param name="prefetch">Messages that may be under way.</param>
    /// <param name="configure">What is done with them.</param>
    public HostReceiveEndpointHandle Connect(string name, ushort prefetch, Action<IRegistrationContext, IReceiveEndpointConfigurator> configure) =>
        connector.ConnectReceiveEndpoint(name, (context, endpoint) =>
        {
            Shape(endpoint, prefetch);
            configure(context, endpoint);
        });

    internal static void Shape(IReceiveEndpointConfigurator endpoint, ushort prefetch)
    {
        if (endpoint is IRabbitMqReceiveEndpointConfigurator rabbitMq)
            rabbitMq.SetQuorumQueue();
        endpoint.PrefetchCount = prefetch;
        endpoint.ConfigureConsumeTopology = false;
    }
}
