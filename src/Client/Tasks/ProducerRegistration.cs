using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace TaskQueue.Client;

internal static class ProducerRegistration
{
    /// <summary>Whoever is added first is the producer of code that does not say which.</summary>
    public static IServiceCollection AddProducer<T>(this IServiceCollection services)
        where T : class, ITaskProducer
    {
        services.TryAddSingleton<ITaskProducer>(sp => sp.GetRequiredService<T>());
        return services;
    }
}
