using MassTransit;
using MassTransit.Context;
using MassTransit.RabbitMqTransport;
using RabbitMQ.Client;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>
/// Uses the server's exchanges and queues without declaring them, so that a broker user without configure permission suffices.
/// By default MassTransit declares everything it sends to or consumes from.
/// </summary>
internal static class ForeignTopology
{
    /// <summary>MassTransit declares nothing for this address and needs no permission to consume from it.</summary>
    private const string Undeclared = RabbitMqExchangeNames.ReplyTo;

    private const string Exchange = "RMQ-Exchange", UserId = "RMQ-UserId"; // where MassTransit's own outbox keeps them

    private static readonly Uri UndeclaredAddress = new("exchange:" + Undeclared);

    /// <summary>Configures a bus that declares no queue of its own and sets the user id on each message.</summary>
    public static void Host(IRabbitMqBusFactoryConfigurator bus, Uri address, BrokerTls tls)
    {
        bus.Host(address, tls);
        bus.OverrideDefaultBusEndpointQueueName(Undeclared);
        var user = tls.UserOf(address);
        bus.ConfigureSend(pipe => pipe.UseExecute(context =>
        {
            if (context.TryGetPayload<RabbitMqSendContext>(out var message))
                message.BasicProperties.UserId = user;
        }));
    }

    /// <summary>Sends to an existing exchange, or fails. An unroutable message is returned as an error instead of being dropped.</summary>
    public static async Task SendAsync<T>(IBus bus, string exchange, T message, string user, Action<SendContext>? configure = null)
        where T : class
    {
        var endpoint = await bus.GetSendEndpoint(UndeclaredAddress);
        await endpoint.Send(message, context =>
        {
            ((TransportSendContext)context).ReadPropertiesFrom(new Dictionary<string, object> { [Exchange] = exchange, [UserId] = user });
            context.GetPayload<RabbitMqSendContext>().Mandatory = true;
            context.DestinationAddress = new Uri("exchange:" + exchange);
            configure?.Invoke(context);
        });
    }

    /// <summary>Lets an endpoint consume from one of the server's queues.</summary>
    public static void ConsumeForeign(this IRabbitMqReceiveEndpointConfigurator endpoint) =>
        endpoint.ConfigureChannel(channel => channel.UseFilter(new DeclareOwn(null)));

    /// <summary>Lets an endpoint bind its own queue to the server's exchanges.</summary>
    public static void BindForeign(this IRabbitMqReceiveEndpointConfigurator endpoint, string own, IEnumerable<string> exchanges)
    {
        endpoint.ConfigureConsumeTopology = false;
        foreach (var exchange in exchanges)
            endpoint.Bind(exchange);
        endpoint.ConfigureChannel(channel => channel.UseFilter(new DeclareOwn(own)));
    }

    private sealed class DeclareOwn(string? own) : IFilter<ChannelContext>
    {
        public void Probe(ProbeContext context) => context.CreateFilterScope("declareOwn");

        public Task Send(ChannelContext context, IPipe<ChannelContext> next) => next.Send(new Channel(context, own));
    }

    private sealed class Channel : ScopeChannelContext, ChannelContext
    {
        private readonly ChannelContext _channel;
        private readonly string? _own;

        public Channel(ChannelContext channel, string? own)
            : base(channel, channel.CancellationToken) => (_channel, _own) = (channel, own);

        Task ChannelContext.ExchangeDeclare(
            string exchange, string type, bool durable, bool autoDelete, IDictionary<string, object> arguments,
            CancellationToken cancellationToken) =>
            exchange == _own ? _channel.ExchangeDeclare(exchange, type, durable, autoDelete, arguments, cancellationToken)
                : Task.CompletedTask;

        Task<QueueDeclareOk> ChannelContext.QueueDeclare(
            string queue, bool durable, bool exclusive, bool autoDelete, IDictionary<string, object> arguments,
            CancellationToken cancellationToken) =>
            queue == _own
                ? _channel.QueueDeclare(queue, durable, exclusive, autoDelete, arguments, cancellationToken)
                : Task.FromResult(new QueueDeclareOk(queue, 0, 0));

        Task ChannelContext.QueueBind(string queue, string exchange, string routingKey, IDictionary<string, object> arguments,
            CancellationToken cancellationToken) =>
            queue == _own ? _channel.QueueBind(queue, exchange, routingKey, arguments, cancellationToken) : Task.CompletedTask;

        Task ChannelContext.ExchangeBind(string destination, string source, string routingKey, IDictionary<string, object> arguments,
            CancellationToken cancellationToken) =>
            destination == _own ? _channel.ExchangeBind(destination, source, routingKey, arguments, cancellationToken) : Task.CompletedTask;
    }
}
