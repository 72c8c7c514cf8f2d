using MassTransit;
using TaskQueue.Contracts;

namespace TaskQueue.Bus.Connection;

/// <summary>Where the bus is: RabbitMQ, or this process.</summary>
/// <param name="RabbitMq"><c>amqp://user:password@host:5672/vhost</c>, or null for the in-process bus.</param>
public sealed record BusAddress(Uri? RabbitMq)
{
    /// <summary>How an address <c>amqps://</c> is used.</summary>
    public BrokerTls Tls { get; init; } = new();

    /// <summary>The broker's user of this process; null on the in-process bus.</summary>
    public string? User => RabbitMq is null ? null : _user ??= Tls.UserOf(RabbitMq);

    /// <summary>With a certificate it is in a file, and asked for with each message.</summary>
    private string? _user;

    /// <summary>Address of a named queue. On RabbitMQ its exchange: a queue: address would declare the queue as classic.</summary>
    public Uri Of(string queue) => new((RabbitMq is null ? "queue:" : "exchange:") + queue);

    /// <summary>Host, port and virtual host without user and password, for logs.</summary>
    public override string ToString() =>
        RabbitMq is null ? "in-process" : $"rabbitmq://{RabbitMq.Host}:{RabbitMq.Port}{RabbitMq.AbsolutePath}";

    /// <summary>Lets RabbitMQ return a message that no queue would get, instead of dropping it.</summary>
    public static void DemandQueue(SendContext context)
    {
        if (context.TryGetPayload<RabbitMqSendContext>(out var rabbitMq))
            rabbitMq.Mandatory = true;
    }
}
