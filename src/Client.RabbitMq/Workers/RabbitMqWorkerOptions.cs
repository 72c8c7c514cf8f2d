using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>Connects workers to RabbitMQ.</summary>
public static class RabbitMqWorkerOptions
{
    /// <summary>Consumes push queues from RabbitMQ instead of claiming from pull queues over HTTP.</summary>
    /// <param name="options">The worker's options.</param>
    /// <param name="address">The server's broker: <c>amqp://user:password@host:5672/vhost</c>.</param>
    /// <param name="tls">TLS settings for an <c>amqps://</c> address.</param>
    /// <exception cref="OptionsValidationException">A file of <paramref name="tls"/> cannot be used.</exception>
    [RequiresUnreferencedCode("MassTransit creates messages by reflection.")]
    [RequiresDynamicCode("MassTransit creates messages by reflection.")]
    public static void UseRabbitMq(this TaskQueueWorkerOptions options, Uri address, BrokerTls? tls = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(address);
        tls ??= new BrokerTls();
        if (tls.ProblemWith(address) is { } problem)
            throw new OptionsValidationException(nameof(TaskQueueWorkerOptions), typeof(TaskQueueWorkerOptions),
                [$"UseRabbitMq: tls {problem}"]);
        options.ConsumesPushQueues = true;
        options.Transport = (services, time) => ActivatorUtilities.CreateInstance<RabbitMqTransport>(services, options, address, tls, time);
    }
}
