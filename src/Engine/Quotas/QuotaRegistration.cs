using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Quotas;

/// <summary>Registers the quotas.</summary>
internal static class QuotaRegistration
{
    /// <summary>Adds the quotas of tenants, and the loop that exchanges them between processes.</summary>
    public static IServiceCollection AddTaskQueueQuotas(this IServiceCollection services)
    {
        services.AddOptions<QuotaOptions>().BindConfiguration("TaskQueue:Quotas").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<IOptionsMonitor<QuotaOptions>, ValidatedOptionsMonitor<QuotaOptions>>();
        services.AddSingleton<TenantQuotas>().AddSingleton<QuotaMetrics>().AddSingleton<WaitingTaskQuota>().AddSingleton<FileQuota>()
            .AddSingleton<ProcessPresence>().AddSingleton<SharedBudget>();
        services.AddSingleton(sp => new StreamQuota(sp.GetRequiredService<TenantQuotas>(), sp.GetRequiredService<QuotaMetrics>()));
        services.AddSingleton(sp => new RequestQuota(
            sp.GetRequiredService<TenantQuotas>(), sp.GetRequiredService<ITenantUsageStore>(), sp.GetRequiredService<ProcessPresence>(),
            sp.GetRequiredService<QuotaMetrics>(), sp.GetRequiredService<DependencyHealth>(), sp.GetRequiredService<TimeProvider>()));
        services.AddSingleton(sp => new QuotaUsage(
            sp.GetRequiredService<TenantQuotas>(), sp.GetRequiredService<WaitingTaskQuota>(), sp.GetRequiredService<FileQuota>(),
            sp.GetRequiredService<StreamQuota>(),
            sp.GetRequiredService<RequestQuota>(), sp.GetRequiredService<IQuotaStore>()));
        services.AddHostedService<QuotaService>().AddLoopHealth<QuotaService>();
        return services;
    }
}
