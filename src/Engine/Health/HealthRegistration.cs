using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace TaskQueue.Engine.Health;

/// <summary>Registers the health checks of loops and endpoints.</summary>
public static class HealthRegistration
{
    /// <summary>Tag of the checks of <c>/health/ready</c>: any status but healthy is 503.</summary>
    public const string Ready = "ready"; // MassTransit tags its own check, which covers the endpoints, with the same word

    /// <summary>Tag of the checks of <c>/health/live</c>: unhealthy is 503.</summary>
    public const string Live = "live";

    /// <summary>Tags of checks that count for both endpoints.</summary>
    internal static readonly string[] Both = [Ready, Live];

    /// <summary>Adds a health check for a loop with a heartbeat.</summary>
    /// <typeparam name="T">The class that runs the loop.</typeparam>
    public static IServiceCollection AddLoopHealth<T>(this IServiceCollection services) => services.AddLoopHealth(typeof(T));

    /// <summary>Adds a health check for a loop with a heartbeat.</summary>
    /// <param name="services">The service collection.</param>
    /// <param name="loop">The class that runs the loop.</param>
    public static IServiceCollection AddLoopHealth(this IServiceCollection services, Type loop)
    {
        var name = LoopHeartbeats.NameOf(loop);
        services.AddHealthChecks().Add(new HealthCheckRegistration(
            name,
            sp => new LoopHealth(
                sp.GetRequiredService<LoopHeartbeats>(), sp.GetRequiredService<HealthThresholds>(), name, sp.GetServices<IHostedService>()
                    .FirstOrDefault(loop.IsInstanceOfType) as BackgroundService),
            failureStatus: null,
            Both));
        return services;
    }

    internal static IServiceCollection AddTaskQueueHealth(this IServiceCollection services)
    {
        services.AddOptions<HealthOptions>().BindConfiguration("TaskQueue:Health").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<OutageGracePeriod>().AddSingleton<LoopHeartbeats>().AddSingleton<PollingServices>()
            .AddSingleton<HealthThresholds>();
        services.AddHostedService<HealthWatch>().AddLoopHealth<HealthWatch>();
        return services;
    }
}
