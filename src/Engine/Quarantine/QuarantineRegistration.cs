using Microsoft.Extensions.DependencyInjection;

namespace TaskQueue.Engine.Quarantine;

internal static class QuarantineRegistration
{
    public static IServiceCollection AddTaskQueueQuarantine(this IServiceCollection services)
    {
        services.AddOptions<QuarantineOptions>().BindConfiguration("TaskQueue:Quarantine").ValidateDataAnnotations().ValidateOnStart();
        return services.AddSingleton<QuarantineMetrics>().AddSingleton<QuarantineWriter>()
            .AddSingleton<IQuarantine>(sp => sp.GetRequiredService<QuarantineWriter>())
            .AddSingleton<QuarantineService>()
            .AddKind<TaskQuarantine>().AddKind<EventQuarantine>().AddKind<CallbackQuarantine>().AddKind<BatchQuarantine>()
                .AddKind<ScheduleQuarantine>();
    }

    private static IServiceCollection AddKind<T>(this IServiceCollection services)
        where T : class, IQuarantineKind => services.AddSingleton<T>().AddSingleton<IQuarantineKind>(sp => sp.GetRequiredService<T>());
}
