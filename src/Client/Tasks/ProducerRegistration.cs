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
}
