using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Health;
using TaskQueue.Storage;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>Registers maintenance.</summary>
public static class MaintenanceRegistration
{
    /// <summary>Adds the services of every process that lists or triggers the jobs.</summary>
    public static IServiceCollection AddTaskQueueMaintenance(this IServiceCollection services)
    {
        services.AddOptions<MaintenanceOptions>().BindConfiguration(MaintenanceOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<MaintenanceSchema>();
        services.AddSingleton(sp =>
        {
            var database = sp.GetRequiredService<DatabaseAddress>();
            if (sp.GetService<SharedHangfire>() is null || database.Provider != DatabaseProvider.Sqlite)
                HangfireTypes.Apply(sp.GetRequiredService<ILoggerFactory>());
            return MaintenanceStorage.Create(database, sp.GetRequiredService<IOptions<MaintenanceOptions>>().Value);
        });
        services.AddSingleton(MaintenanceFilters.Create());
        services.AddSingleton<MaintenanceStates>().AddSingleton<MaintenanceSchedule>();
        return services.AddSingleton(sp => new MaintenanceService(
            sp.GetRequiredService<MaintenanceSchedule>(), sp.GetRequiredService<MaintenanceStates>(),
            sp.GetRequiredService<IOptions<MaintenanceOptions>>(), sp.GetRequiredService<TimeProvider>()));
    }

    /// <summary>Adds the services that run the jobs.</summary>
    internal static IServiceCollection AddMaintenanceServer(this IServiceCollection services)
    {
        foreach (var job in MaintenanceJobs.All)
        {
            services.TryAddSingleton(job.Type);
            services.AddLoopHealth(job.Type);
        }

        services.AddSingleton<MaintenanceHealth>().AddSingleton<MaintenanceMetrics>();
        services.AddSingleton<MaintenanceRunner>().AddSingleton<MaintenanceActivator>();
        services.AddHostedService<MaintenanceServer>();
        return services.AddHostedService<MaintenanceWatch>().AddLoopHealth<MaintenanceWatch>();
    }
}
