using MassTransit;
using TaskQueue.Contracts;

namespace TaskQueue.Bus.Connection;

/// <summary>Address of the bus: RabbitMQ, or this process.</summary>
/// <param name="RabbitMq"><c>amqp://user:password@host:5672/vhost</c>, or null for the in-process bus.</param>
public sealed record BusAddress(Uri? RabbitMq)
{
    /// <summary>TLS settings of an <c>amqps://</c> address.</summary>
    public BrokerTls Tls { get; init; } = new();

    /// <summary>The broker user of this process; null on the in-process bus.</summary>
    public string? User => RabbitMq is null ? null : _user ??= Tls.UserOf(RabbitMq);

    /// <summary>Cached: with a certificate it is read from a file, but needed for each message.</summary>
    private string? _user;

    /// <summary>Address of a named queue. On RabbitMQ that of its exchange: a queue: address would declare the queue as classic.</summary>
    public Uri Of(string queue) => new((RabbitMq is null ? "queue:" : "exchange:") + queue);

    /// <summary>Host, port and virtual host without user and password, for logs.</summary>
    public override string ToString() =>
        RabbitMq is null ? "in-process" : $"rabbitmq://{RabbitMq.Host}:{RabbitMq.Port}{RabbitMq.AbsolutePath}";

    /// <summary>Makes RabbitMQ return an unroutable message instead of dropping it.</summary>
    public static void DemandQueue(SendContext context)
    {
        if (context.TryGetPayload<RabbitMqSendContext>(out var rabbitMq))
            rabbitMq.Mandatory = true;
    }
}
