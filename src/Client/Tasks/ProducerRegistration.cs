using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace TaskQueue.Client;

internal static class ProducerRegistration
{
    /// <summary>Registers a producer; the first one registered is also the <see cref="ITaskProducer"/>.</summary>
    public static IServiceCollection AddProducer<T>(this IServiceCollection services)
        where T : class, ITaskProducer
    {
        services.TryAddSingleton<ITaskProducer>(sp => sp.GetRequiredService<T>());
        return services;
    }
}
