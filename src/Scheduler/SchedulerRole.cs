using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Schedules;
using TaskQueue.Scheduler.Batches;
using TaskQueue.Scheduler.Bulk;
using TaskQueue.Scheduler.Callbacks;
using TaskQueue.Scheduler.Maintenance;
using TaskQueue.Scheduler.Schedules;
using TaskQueue.Scheduler.Tasks;

namespace TaskQueue.Scheduler;

/// <summary>The Scheduler role: all time-driven work.</summary>
public static class SchedulerRole
{
    /// <summary>Adds the services of the role.</summary>
    public static IServiceCollection AddTaskQueueScheduler(this IServiceCollection services)
    {
        services.AddHostedService<DispatchSweep>().AddLoopHealth<DispatchSweep>();
        services.AddHostedService<LeaseSweep>().AddLoopHealth<LeaseSweep>();
        services.AddHostedService<ExpirySweep>().AddLoopHealth<ExpirySweep>();
        services.AddHostedService<ScheduleFiring>().AddLoopHealth<ScheduleFiring>();
        services.AddMaintenanceServer();
        services.AddSingleton<BatchExpander>().AddSingleton<BatchFinalizer>().AddSingleton<BatchFileWriter>();
        services.AddHostedService<BatchProcessor>().AddLoopHealth<BatchProcessor>();
        services.AddHostedService<BulkOperationRunner>().AddLoopHealth<BulkOperationRunner>();
        services.TryAddSingleton<ResolveHost>(Dns.GetHostAddressesAsync);
        services.AddSingleton<CallbackEvents>().AddSingleton<ReceiverClient>().AddSingleton<ReceiverVerifier>()
            .AddSingleton<CallbackSender>();
        services.AddHostedService<CallbackService>().AddLoopHealth<CallbackService>();
        return services;
    }

    /// <summary>Leaves Hangfire's settings of the process to the program that the server is part of.</summary>
    public static IServiceCollection ShareHangfire(this IServiceCollection services) => services.AddSingleton<SharedHangfire>();

    /// <summary>Lets what waits for a time look at the clock again, which a test has moved; by itself it would within a second.</summary>
    public static void LookNow(IServiceProvider services)
    {
        foreach (var sweep in services.GetServices<IHostedService>().OfType<SweepService>())
            sweep.Expect(DateTime.MinValue);
        services.GetRequiredService<ScheduleSignal>().Changed();
    }
}
