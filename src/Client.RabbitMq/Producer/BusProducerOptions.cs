using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>Where the broker is.</summary>
public sealed class BusProducerOptions
{
    /// <summary><c>amqp://user:password@host:5672/vhost</c>, the broker that the server uses.</summary>
    public Uri? ConnectionString { get; set; }

    /// <summary>How an address <c>amqps://</c> is used.</summary>
    public BrokerTls Tls { get; } = new();

    /// <summary>How long to wait for the broker to confirm, 1 s to 10 min.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Encodes data; null is that of <see cref="TaskQueueClientOptions"/>, where there is one.</summary>
    public ITaskPayloadCodec? Codec { get; set; }

    internal string? Problem =>
        ConnectionString is not { IsAbsoluteUri: true, Scheme: "amqp" or "amqps" }
            ? "BusProducerOptions.ConnectionString must be of the form amqp://user:password@host:5672/vhost"
        : Tls.ProblemWith(ConnectionString) is { } problem ? $"BusProducerOptions.Tls {problem}"
        : Timeout < TimeSpan.FromSeconds(1) || Timeout > TimeSpan.FromMinutes(10) ? "BusProducerOptions.Timeout must be 1 s to 10 min"
        : null;
}
