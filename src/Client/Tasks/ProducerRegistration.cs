using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace TaskQueue.Client;

internal static class ProducerRegistration
{
    /// <summary>Makes a producer the <see cref="ITaskProducer"/> unless one is registered already.</summary>
    public static IServiceCollection AddProducer<T>(this IServiceCollection services)
        where T : class, ITaskProducer
    {
        services.TryAddSingleton<ITaskProducer>(sp => sp.GetRequiredService<T>());
        return services;
    }

    /// <summary>Adds metrics, and what all producers do with tasks before they are sent.</summary>
    public static IServiceCollection AddPipeline(this IServiceCollection services)
    {
        services.AddMetrics();
        services.TryAddSingleton<ClientMetrics>();
        services.TryAddSingleton<EnqueuePipeline>();
        return services;
    }
}
