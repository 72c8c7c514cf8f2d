using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>Options of <see cref="TaskQueueBusProducer"/>.</summary>
public sealed class BusProducerOptions
{
    /// <summary>The server's broker: <c>amqp://user:password@host:5672/vhost</c>.</summary>
    public Uri? ConnectionString { get; set; }

    /// <summary>TLS settings for an <c>amqps://</c> address.</summary>
    public BrokerTls Tls { get; } = new();

    /// <summary>How long to wait for the broker's confirm: 1 s to 10 min; default 30 s.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Encodes data; null: the codec of <see cref="TaskQueueClientOptions"/>, if any.</summary>
    public ITaskPayloadCodec? Codec { get; set; }

    internal string? Problem =>
        ConnectionString is not { IsAbsoluteUri: true, Scheme: "amqp" or "amqps" }
            ? "BusProducerOptions.ConnectionString must be of the form amqp://user:password@host:5672/vhost"
        : Tls.ProblemWith(ConnectionString) is { } problem ? $"BusProducerOptions.Tls {problem}"
        : Timeout < TimeSpan.FromSeconds(1) || Timeout > TimeSpan.FromMinutes(10) ? "BusProducerOptions.Timeout must be 1 s to 10 min"
        : null;
}
