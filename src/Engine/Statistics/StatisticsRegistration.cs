using Microsoft.Extensions.DependencyInjection;
using TaskQueue.Engine.Health;

namespace TaskQueue.Engine.Statistics;

/// <summary>Registers the statistics.</summary>
internal static class StatisticsRegistration
{
    /// <summary>Adds the counter, and the loop that writes its counts.</summary>
    public static IServiceCollection AddTaskQueueStatistics(this IServiceCollection services)
    {
        services.AddOptions<StatisticsOptions>().BindConfiguration("TaskQueue:Statistics").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<StatisticsCounter>();
        services.AddHostedService<StatisticsFlush>().AddLoopHealth<StatisticsFlush>();
        return services;
    }
}
