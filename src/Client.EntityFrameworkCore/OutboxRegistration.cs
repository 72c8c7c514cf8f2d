using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace TaskQueue.Client;

/// <summary>Registers outboxes.</summary>
public static class OutboxRegistration
{
    /// <summary>
    /// Adds the relay of a context's outbox, which runs as long as the host and sends with the <see cref="ITaskProducer"/> of the
    /// container; <see cref="OutboxAdmin{TContext}"/>; and the health check <c>taskqueue-outbox-NAME</c>, with the
    /// name of the context (its full name, if another context of that name has an outbox). The context is registered with
    /// <c>AddDbContext</c>, <c>AddDbContextPool</c> or a factory, and its model calls <see cref="OutboxModel.AddTaskQueueOutbox"/>.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="configure">Limits and times; null: the defaults.</param>
    /// <typeparam name="TContext">The context. Call it once for each that has an outbox.</typeparam>
    /// <exception cref="OptionsValidationException">An option is out of range.</exception>
    /// <exception cref="InvalidOperationException">The outbox of the context is added already.</exception>
    public static IServiceCollection AddTaskQueueOutbox<TContext>(
        this IServiceCollection services, Action<OutboxOptions>? configure = null)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(services);
        if (services.Any(s => s.ServiceType == typeof(OutboxAdmin<TContext>)))
            throw new InvalidOperationException($"the outbox of {typeof(TContext).Name} is added already");
        var options = new OutboxOptions();
        configure?.Invoke(options);
        options.Validate();

        var name = services.Any(s => IsOutboxOf(s, typeof(TContext).Name)) ? typeof(TContext).FullName! : typeof(TContext).Name;
        services.AddLogging().AddMetrics().AddHealthChecks().Add(new HealthCheckRegistration(
            $"taskqueue-outbox-{name}", sp => new OutboxHealth<TContext>(name, sp.GetRequiredService<OutboxAdmin<TContext>>(), options),
            failureStatus: null, tags: null));
        services.TryAddSingleton<OutboxMetrics>();
        var signal = new Signal();
        var (saves, commits) = (new OutboxSaves(signal), new OutboxCommits());
        services.ConfigureDbContext<TContext>(o => o.AddInterceptors(saves, commits));
        services.AddSingleton(sp => new OutboxAdmin<TContext>(sp.GetRequiredService<IServiceScopeFactory>(), signal, Clock(sp)));
        if (options.RunsRelay)
        {
            services.AddSingleton<IHostedService>(sp => new OutboxRelay<TContext>(
                name, options, ProducerOf(sp, options), signal, sp.GetRequiredService<OutboxAdmin<TContext>>(),
                sp.GetRequiredService<OutboxMetrics>(), sp.GetRequiredService<IServiceScopeFactory>(), Clock(sp),
                sp.GetRequiredService<ILogger<OutboxRelay<TContext>>>()));
        }

        return services;
    }

    private static bool IsOutboxOf(ServiceDescriptor service, string context) =>
        service.ServiceType is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(OutboxAdmin<>)
            && type.GenericTypeArguments[0].Name == context;

    private static TimeProvider Clock(IServiceProvider services) => services.GetService<TimeProvider>() ?? TimeProvider.System;

    private static ITaskProducer ProducerOf(IServiceProvider services, OutboxOptions options) =>
        options.Producer?.Invoke(services) ?? services.GetService<ITaskProducer>() ?? throw new InvalidOperationException(
            "nothing sends the tasks of the outbox: call AddTaskQueueClient or AddTaskQueueBusProducer, or set OutboxOptions.Producer");
}
