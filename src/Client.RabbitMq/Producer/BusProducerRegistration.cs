using System.Diagnostics.CodeAnalysis;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace TaskQueue.Client;

/// <summary>Registers the producer over RabbitMQ.</summary>
public static class BusProducerRegistration
{
    /// <summary>
    /// Adds a <see cref="TaskQueueBusProducer"/>, which is the <see cref="ITaskProducer"/> too where there is none yet. Its bus starts and
    /// stops with the host.
    /// </summary>
    /// <exception cref="OptionsValidationException">An option is wrong.</exception>
    [RequiresUnreferencedCode("MassTransit is not made for trimming; the client over HTTP is.")]
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
        return services
            .AddSingleton(sp => new TaskQueueBusProducer(
                sp.GetRequiredService<ITaskQueueProducerBus>(), options, sp.GetService<TimeProvider>() ?? TimeProvider.System,
                options.Codec ?? sp.GetService<IOptions<TaskQueueClientOptions>>()?.Value.Codec))
            .AddProducer<TaskQueueBusProducer>();
    }
}
