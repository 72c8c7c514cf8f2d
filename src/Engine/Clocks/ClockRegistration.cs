using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using TaskQueue.Engine.Health;

namespace TaskQueue.Engine.Clocks;

/// <summary>Registers the clock of the process.</summary>
internal static class ClockRegistration
{
    /// <summary>Makes the database's clock the <see cref="TimeProvider"/>; one that is registered already is the machine's.</summary>
    public static IServiceCollection AddTaskQueueClock(this IServiceCollection services)
    {
        var machine = services.LastOrDefault(d => d.ServiceType == typeof(TimeProvider))?.ImplementationInstance as TimeProvider;
        services.AddSingleton(new DatabaseClock(machine ?? TimeProvider.System));
        services.RemoveAll<TimeProvider>();
        services.AddSingleton<TimeProvider>(sp => sp.GetRequiredService<DatabaseClock>());
        services.AddSingleton<DatabaseWatch>().AddHostedService(sp => sp.GetRequiredService<DatabaseWatch>())
            .AddLoopHealth<DatabaseWatch>();
        return services;
    }
}
