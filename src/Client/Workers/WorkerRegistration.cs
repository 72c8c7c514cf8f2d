using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using TaskQueue.Client.Http;

namespace TaskQueue.Client;

/// <summary>Adds workers to a host.</summary>
public static class WorkerRegistration
{
    /// <summary>Adds a worker that runs as long as the host; may be called again for another.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="configure">Queues, processors and limits.</param>
    /// <param name="client">Where the server is; null leaves it to whoever else configures <see cref="TaskQueueClientOptions"/>.</param>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">An option is out of its range.</exception>
    public static IServiceCollection AddTaskQueueWorker(
        this IServiceCollection services, Action<TaskQueueWorkerOptions> configure, Action<TaskQueueClientOptions>? client = null)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var options = new TaskQueueWorkerOptions();
        configure(options);
        options.Validate();
        services.AddConnection();
        if (client is not null)
            services.Configure(client);
        services.AddLogging();
        services.AddSingleton<IHostedService>(sp =>
        {
            var time = sp.GetService<TimeProvider>() ?? TimeProvider.System;
            var transport = options.Transport?.Invoke(sp, time) ?? ActivatorUtilities.CreateInstance<HttpTransport>(sp, options, time);
            return ActivatorUtilities.CreateInstance<WorkerService>(sp, options, transport, time);
        });
        return services;
    }
}
