using Microsoft.Extensions.DependencyInjection;

namespace TaskQueue.Engine.Bulk;

/// <summary>Registers operations on many tasks.</summary>
internal static class BulkRegistration
{
    /// <summary>Adds the service that creates them, and what carries them out.</summary>
    public static IServiceCollection AddTaskQueueBulkOperations(this IServiceCollection services)
    {
        services.AddOptions<BulkOperationOptions>().BindConfiguration("TaskQueue:BulkOperations").ValidateDataAnnotations()
            .ValidateOnStart();
        return services.AddSingleton<BulkOperationService>().AddSingleton<BulkSteps>().AddSingleton<BulkOperationWorker>();
    }
}
