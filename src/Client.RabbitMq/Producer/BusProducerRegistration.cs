using System.Diagnostics.CodeAnalysis;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace TaskQueue.Client;

/// <summary>Registers the RabbitMQ producer.</summary>
public static class BusProducerRegistration
{
    /// <summary>
    /// Adds a <see cref="TaskQueueBusProducer"/>, also as <see cref="ITaskProducer"/> if none is registered yet. Its bus starts and
    /// stops with the host.
    /// </summary>
    /// <exception cref="OptionsValidationException">An option is invalid.</exception>
    [RequiresUnreferencedCode("MassTransit does not support trimming; the HTTP client does.")]
    public static IServiceCollection AddTaskQueueBusProducer(this IServiceCollection services, Action<BusProducerOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var options = new BusProducerOptions();
        configure(options);
        if (options.Problem is { } problem)
            throw new OptionsValidationException(nameof(BusProducerOptions), typeof(BusProducerOptions), [problem]);
        services.AddMassTransit<ITaskQueueProducerBus>(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.UsingRabbitMq((_, cfg) => ForeignTopology.Host(cfg, options.ConnectionString!, options.Tls));
        });
        return services.AddPipeline()
            .AddSingleton(sp => new TaskQueueBusProducer(
                sp.GetRequiredService<ITaskQueueProducerBus>(), options, sp.GetService<TimeProvider>() ?? TimeProvider.System,
                options.Codec ?? sp.GetService<IOptions<TaskQueueClientOptions>>()?.Value.Codec,
                sp.GetRequiredService<EnqueuePipeline>()))
            .AddProducer<TaskQueueBusProducer>();
    }
}
