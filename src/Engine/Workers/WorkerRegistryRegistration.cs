using Microsoft.Extensions.DependencyInjection;
using TaskQueue.Engine.Health;

namespace TaskQueue.Engine.Workers;

/// <summary>Registers the registry of workers.</summary>
internal static class WorkerRegistryRegistration
{
    /// <summary>Adds the registry, and the loop that writes it.</summary>
    public static IServiceCollection AddTaskQueueWorkers(this IServiceCollection services)
    {
        services.AddOptions<WorkerOptions>().BindConfiguration("TaskQueue:Workers").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<WorkerRegistry>().AddSingleton<WorkerMetrics>();
        services.AddHostedService<WorkerFlush>().AddLoopHealth<WorkerFlush>();
        return services;
    }
}
