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

    /// <summary>
    /// Most bytes of a message: 64 KiB to 512 MiB; default 16 MiB, as of RabbitMQ 4. Set it to the broker's <c>max_message_size</c> if that
    /// is another. A task that does not fit is refused before anything of it is sent.
    /// </summary>
    public int MaxMessageBytes { get; set; } = MessageSize.Default;

    /// <summary>Encodes data; null: the codec of <see cref="TaskQueueClientOptions"/>, if any.</summary>
    public ITaskPayloadCodec? Codec { get; set; }

    internal string? Problem =>
        ConnectionString is not { IsAbsoluteUri: true, Scheme: "amqp" or "amqps" }
            ? "BusProducerOptions.ConnectionString must be of the form amqp://user:password@host:5672/vhost"
        : Tls.ProblemWith(ConnectionString) is { } problem ? $"BusProducerOptions.Tls {problem}"
        : Timeout < TimeSpan.FromSeconds(1) || Timeout > TimeSpan.FromMinutes(10) ? "BusProducerOptions.Timeout must be 1 s to 10 min"
        : MaxMessageBytes is < 64 * 1024 or > 512 * 1024 * 1024 ? "BusProducerOptions.MaxMessageBytes must be 65536 to 536870912"
        : null;
}
