using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using TaskQueue.Client.Http;

namespace TaskQueue.Client;

/// <summary>Registers workers.</summary>
public static class WorkerRegistration
{
    /// <summary>
    /// Adds a worker that runs as long as the host, the <see cref="TaskQueueClient"/>, and the health check <c>taskqueue-worker</c>. Call
    /// it again to add more workers; the same check covers all of them.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="configure">Queues, processors and limits.</param>
    /// <param name="client">Configures the server connection; null if <see cref="TaskQueueClientOptions"/> is configured elsewhere.</param>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">An option is out of range.</exception>
    public static IServiceCollection AddTaskQueueWorker(
        this IServiceCollection services, Action<TaskQueueWorkerOptions> configure, Action<TaskQueueClientOptions>? client = null)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var options = new TaskQueueWorkerOptions();
        configure(options);
        options.Validate();
        services.AddConnection().AddClient();
        if (client is not null)
            services.Configure(client);
        services.AddLogging().AddHealthChecks();
        services.Configure<HealthCheckServiceOptions>(o =>
        {
            if (o.Registrations.All(r => r.Name != WorkerHealth.Name))
                o.Registrations.Add(new HealthCheckRegistration(WorkerHealth.Name, sp =>
                    new WorkerHealth(sp.GetServices<IHostedService>()), failureStatus: null, tags: null));
        });
        services.AddSingleton<IHostedService>(sp =>
        {
            var time = sp.GetService<TimeProvider>() ?? TimeProvider.System;
            var transport = options.Transport?.Invoke(sp, time) ?? ActivatorUtilities.CreateInstance<HttpTransport>(sp, options, time);
            return ActivatorUtilities.CreateInstance<WorkerService>(sp, options, transport, time);
        });
        return services;
    }
}
