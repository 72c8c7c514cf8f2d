using Hangfire;
using Microsoft.Extensions.DependencyInjection;
using TaskQueue.Client.Http;

namespace TaskQueue.Client;

/// <summary>Registers Hangfire's services on TaskQueue.</summary>
public static class HangfireRegistration
{
    /// <summary>
    /// Makes <see cref="IBackgroundJobClient"/> and <see cref="IRecurringJobManager"/>, and their second versions, use TaskQueue. They
    /// replace those of <c>AddHangfire</c>.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Filters, converters, queues; null: the defaults.</param>
    /// <param name="client">Configures the server connection; null if <see cref="TaskQueueClientOptions"/> is configured elsewhere.</param>
    public static IServiceCollection AddTaskQueueHangfire(this IServiceCollection services,
        Action<HangfireClientOptions>? configure = null, Action<TaskQueueClientOptions>? client = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = new HangfireClientOptions();
        configure?.Invoke(options);
        services.AddConnection().AddClient();
        if (client is not null)
            services.Configure(client);
        services.AddSingleton(sp => new TaskQueueJobClient(
            sp.GetRequiredService<TaskQueueClient>(), options, sp.GetService<TimeProvider>() ?? TimeProvider.System));
        services.AddSingleton<IBackgroundJobClientV2>(sp => sp.GetRequiredService<TaskQueueJobClient>());
        services.AddSingleton<IBackgroundJobClient>(sp => sp.GetRequiredService<TaskQueueJobClient>());
        services.AddSingleton(sp => new TaskQueueRecurringJobs(sp.GetRequiredService<TaskQueueClient>(), options));
        services.AddSingleton<IRecurringJobManagerV2>(sp => sp.GetRequiredService<TaskQueueRecurringJobs>());
        services.AddSingleton<IRecurringJobManager>(sp => sp.GetRequiredService<TaskQueueRecurringJobs>());
        return services;
    }

    /// <summary>Makes a worker run jobs that were enqueued through Hangfire's interfaces. Name their queues in its options.</summary>
    /// <param name="worker">The worker's options.</param>
    /// <param name="configure">The types whose methods may be called, filters, converters, activator.</param>
    /// <exception cref="ArgumentException">No type is allowed.</exception>
    /// <exception cref="NotSupportedException">A filter of an allowed type, or a global one, cannot work on TaskQueue.</exception>
    public static void UseHangfireJobs(this TaskQueueWorkerOptions worker, Action<HangfireJobOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(worker);
        ArgumentNullException.ThrowIfNull(configure);
        var options = new HangfireJobOptions();
        configure(options);
        var processor = new JobProcessor(options);
        foreach (var name in processor.TaskNames)
            worker.Add(name, processor.RunAsync, needsScope: false);
    }
}
