using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using TaskQueue.Engine.Bus;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Health;

/// <summary>Puts the watch over loops and endpoints together.</summary>
public static class HealthRegistration
{
    /// <summary>Tag of the checks of <c>/health/ready</c>: anything but healthy is 503.</summary>
    public const string Ready = "ready"; // MassTransit tags its own check, which covers the endpoints, with the same word

    /// <summary>Tag of the checks of <c>/health/live</c>: unhealthy is 503.</summary>
    public const string Live = "live";

    private static readonly string[] Both = [Ready, Live];

    /// <summary>Watches a loop of this process that keeps a heartbeat.</summary>
    /// <typeparam name="T">The class that runs it.</typeparam>
    public static IServiceCollection AddLoopHealth<T>(this IServiceCollection services)
    {
        var name = LoopHeartbeats.NameOf(typeof(T));
        services.AddHealthChecks().Add(new HealthCheckRegistration(
            name,
            sp => new LoopHealth(
                sp.GetRequiredService<LoopHeartbeats>(), sp.GetRequiredService<HealthThresholds>(), name, sp.GetServices<IHostedService>().OfType<T>().FirstOrDefault() as BackgroundService),
            failureStatus: null,
            Both));
        return services;
    }

    internal static IServiceCollection AddTaskQueueHealth(this IServiceCollection services, BusAddress bus)
    {
        services.AddOptions<HealthOptions>().BindConfiguration("TaskQueue:Health").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<OutageGracePeriod>().AddSingleton<LoopHeartbeats>().AddSingleton<PollingServices>().AddSingleton<ConsumerLiveness>().AddSingleton<HealthThresholds>();
        services.AddSingleton<DatabaseProbe>().AddSingleton<CanaryPublisher>();
        services.AddHostedService<HealthWatch>().AddLoopHealth<HealthWatch>();
        if (bus.RabbitMq is not null)
            services.AddHealthChecks().AddCheck<CanaryHealth>("canary", tags: Both);
        return services;
    }
}
