using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using TaskQueue.Bus.Connection;
using TaskQueue.Bus.Dispatch;
using TaskQueue.Bus.Health;
using TaskQueue.Bus.Outbox;
using TaskQueue.Bus.Replies;
using TaskQueue.Bus.Senders;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Replies;

namespace TaskQueue.Bus;

/// <summary>Receive endpoints that a role adds to the bus.</summary>
/// <param name="AddConsumers">Registers the consumers.</param>
/// <param name="AddEndpoints">Configures the endpoints.</param>
public sealed record BusRole(Action<IBusRegistrationConfigurator> AddConsumers,
    Action<IBusRegistrationContext, IBusEndpoints> AddEndpoints);

/// <summary>Adds endpoints on the configured transport.</summary>
public interface IBusEndpoints
{
    /// <summary>Adds a named durable queue (a quorum queue on RabbitMQ).</summary>
    void Queue(string name, ushort prefetch, Action<IReceiveEndpointConfigurator> configure);

    /// <summary>Adds a queue exclusive to this process, deleted when it ends; its messages are consumed one at a time.</summary>
    /// <param name="role">Purpose of the queue, for metrics and health.</param>
    /// <param name="name">Name, if other processes need to know it.</param>
    /// <param name="configure">Configures its consumers.</param>
    void OwnQueue(string role, string? name, Action<IReceiveEndpointConfigurator> configure);
}

/// <summary>Registers the bus.</summary>
public static class BusRegistration
{
    /// <summary>Adds MassTransit on RabbitMQ or in process, with the endpoints of the roles.</summary>
    public static IServiceCollection AddTaskQueueBus(this IServiceCollection services, BusAddress address, IReadOnlyList<BusRole> roles)
    {
        ArgumentNullException.ThrowIfNull(address);
        services.AddSingleton(address).AddSingleton(new BusTransport(address.RabbitMq is null));
        services.AddSingleton<PushTopology>().AddSingleton<IQueueAnnouncer, QueueAnnouncer>().AddSingleton<WorkEndpoints>()
            .AddTransient<ConfirmTimeout>();
        services.AddSingleton<EventPublisher>().AddSingleton<IEventPublisher>(sp => sp.GetRequiredService<EventPublisher>())
            .AddSingleton<IsolatingPublisher>().AddSingleton<DispatchAhead>().AddSingleton<DispatcherWake>();
        services.AddSingleton<MessageLimits>().AddSingleton<WorkerChannels>().AddSingleton<AcceptedSizes>().AddSingleton<EndedNotices>()
            .AddSingleton<TaskSender>().AddSingleton<HeldQueues>().AddSingleton<TaskDispatcher>()
            .AddSingleton<IPushQueues, PushQueues>();
        services.AddSingleton<IReplySender, ReplySender>().AddSingleton<ConsumerLiveness>();
        if (address.RabbitMq is not null)
        {
            services.AddSingleton<IDependencyProbe, CanaryPublisher>();
            services.AddHealthChecks().AddCheck<CanaryHealth>("canary", tags: HealthRegistration.Both);
        }

        services.AddOptions<BusOptions>().BindConfiguration("TaskQueue:Bus").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<IOptionsMonitor<BusOptions>, ValidatedOptionsMonitor<BusOptions>>().AddSingleton<BusAccess>()
            .AddSingleton<SetAside>();
        services.Configure<MassTransitHostOptions>(o => o.ConsumerStopTimeout = ConsumerStopTimeout);
        services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.AddConsumer<WorkNotifierConsumer>();
            bus.AddConsumer<QueuesChangedConsumer>();
            bus.AddConsumer<ReplyConsumer>();
            bus.AddConsumer<EventsCommittedConsumer>();
            bus.AddConsumer<CanaryConsumer>();
            bus.AddReceiveObserver<BusFaultLog>();
            bus.AddReceiveObserver(sp => sp.GetRequiredService<ConsumerLiveness>());
            foreach (var role in roles)
                role.AddConsumers(bus);
            if (address.RabbitMq is null)
            {
                bus.UsingInMemory((context, cfg) =>
                {
                    cfg.UseConsumeFilter(typeof(SenderFilter<>), context);
                    var endpoints = new InMemoryEndpoints(cfg, context);
                    foreach (var role in roles)
                        role.AddEndpoints(context, endpoints);
                });
            }
            else
            {
                bus.UsingRabbitMq((context, cfg) =>
                {
                    cfg.Host(address);
                    cfg.SignWith(address.User!);
                    cfg.UseConsumeFilter(typeof(SenderFilter<>), context);
                    cfg.DeployPublishTopology = true;
                    var endpoints = new RabbitMqEndpoints(cfg, context);
                    endpoints.OwnQueue("work-available", null, e =>
                    {
                        e.ConfigureConsumer<WorkNotifierConsumer>(context);
                        e.ConfigureConsumer<QueuesChangedConsumer>(context);
                    });
                    endpoints.OwnQueue("replies", null, e => BindReplies((IRabbitMqReceiveEndpointConfigurator)e, context));
                    foreach (var role in roles)
                        role.AddEndpoints(context, endpoints);
                });
            }
        });
        services.AddHostedService<OutboxDispatcher>().AddLoopHealth<OutboxDispatcher>();
        return services;
    }

    private static void BindReplies(IRabbitMqReceiveEndpointConfigurator endpoint, IBusRegistrationContext context)
    {
        endpoint.ConfigureConsumeTopology = false;
        endpoint.Bind(TaskReplies.Exchange, x =>
        {
            x.ExchangeType = RabbitMQ.Client.ExchangeType.Direct;
            x.RoutingKey = context.GetRequiredService<ReplyAddress>().Name;
        });
        endpoint.ConfigureConsumer<ReplyConsumer>(context);
        endpoint.ConfigureConsumer<EventsCommittedConsumer>(context);
    }

    /// <summary>How long a stopped consumer waits for the database before it releases its message.</summary>
    private static readonly TimeSpan ConsumerStopTimeout = TimeSpan.FromSeconds(5);

    /// <summary>While the database is unreachable, messages wait unacknowledged; invalid ones fail immediately.</summary>
    public static void UseStorageRetry(this IConsumePipeConfigurator endpoint) =>
        endpoint.UseMessageRetry(r =>
        {
            r.Handle<Exception>(StorageFaults.IsTransient);
            r.Exponential(MaxRetries, TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(5), TimeSpan.FromMilliseconds(200));
        });

    /// <summary>Half a day of retries; MassTransit keeps the list of all delays in memory.</summary>
    private const int MaxRetries = 10_000;

    private sealed class RabbitMqEndpoints(IRabbitMqBusFactoryConfigurator cfg, IBusRegistrationContext context) : IBusEndpoints
    {
        private readonly ConsumerLiveness _liveness = context.GetRequiredService<ConsumerLiveness>();

        public void Queue(string name, ushort prefetch, Action<IReceiveEndpointConfigurator> configure) =>
            cfg.ReceiveEndpoint(name, e =>
            {
                WorkEndpoints.Shape(e, prefetch, context);
                configure(e);
                WorkEndpoints.Watch(_liveness, name, context, e);
            });

        public void OwnQueue(string role, string? name, Action<IReceiveEndpointConfigurator> configure)
        {
            if (name is null)
                cfg.ReceiveEndpoint(new TemporaryEndpointDefinition(), (IRabbitMqReceiveEndpointConfigurator e) =>
                    InOrder(role, e, configure));
            else
                cfg.ReceiveEndpoint(name, (IRabbitMqReceiveEndpointConfigurator e) =>
                {
                    e.Durable = false;
                    e.AutoDelete = true;
                    e.ConfigureConsumeTopology = false;
                    InOrder(role, e, configure);
                });
        }

        private void InOrder(string role, IReceiveEndpointConfigurator endpoint, Action<IReceiveEndpointConfigurator> configure)
        {
            endpoint.ConcurrentMessageLimit = 1;
            FailedMessages.Drop(endpoint, context);
            configure(endpoint);
            WorkEndpoints.Watch(_liveness, role, context, endpoint);
        }
    }

    private sealed class InMemoryEndpoints(IInMemoryBusFactoryConfigurator cfg, IBusRegistrationContext context) : IBusEndpoints
    {
        public void Queue(string name, ushort prefetch, Action<IReceiveEndpointConfigurator> configure) =>
            cfg.ReceiveEndpoint(name, e =>
            {
                WorkEndpoints.Shape(e, prefetch, context);
                configure(e);
            });

        public void OwnQueue(string role, string? name, Action<IReceiveEndpointConfigurator> configure) =>
            cfg.ReceiveEndpoint(new TemporaryEndpointDefinition(), configure);
    }
}
