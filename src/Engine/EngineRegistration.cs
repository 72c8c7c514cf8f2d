using MassTransit;
using MassTransit.Saga;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Audit;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Bus;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Storage.GroupCommit;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine;

/// <summary>Puts the engine together.</summary>
public static class EngineRegistration
{
    /// <summary>Adds the engine: the services, the machine behind the mediator, storage, the bus and the outbox dispatcher.</summary>
    /// <param name="services">Where to.</param>
    /// <param name="database">The database.</param>
    /// <param name="bus">The bus.</param>
    /// <param name="roles">Receive endpoints of the roles of this process.</param>
    public static IServiceCollection AddTaskQueueEngine(
        this IServiceCollection services, DatabaseAddress database, BusAddress bus, params IReadOnlyList<BusRole> roles)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddOptions<EngineOptions>().BindConfiguration("TaskQueue").ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<MemoryOptions>().BindConfiguration("TaskQueue:Limits").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<IValidateOptions<MemoryOptions>, MemoryOptionsCheck>().AddSingleton<MemoryBudget>();
        services.AddOptions<DrainOptions>().BindConfiguration("TaskQueue:Drain").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<Drain>();
        services.AddOptions<AuthOptions>().BindConfiguration("TaskQueue:Auth").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<IOptionsMonitor<AuthOptions>, ValidatedOptionsMonitor<AuthOptions>>();
        services.AddSingleton<ApiKeys>().AddSingleton<AuditLog>().AddSingleton<AuditQueries>();
        services.AddOptions<AuditOptions>().BindConfiguration("TaskQueue:Audit").ValidateDataAnnotations().ValidateOnStart();
        services.AddHostedService<AuditWriter>().AddLoopHealth<AuditWriter>();
        services.AddOptions<TelemetryOptions>().BindConfiguration("TaskQueue:Telemetry").ValidateDataAnnotations().ValidateOnStart();
        services.AddTaskQueueHealth(bus);
        services.AddMetrics().AddSingleton<TaskMetrics>().AddSingleton<BacklogWatch>();
        services.AddSingleton<DependencyHealth>();
        services.AddOptions<ScalingOptions>().BindConfiguration("TaskQueue:Scaling").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<Scaling>();
        services.AddSingleton<WorkNotifier>().AddSingleton<PostCommitNotifier>();
        services.AddSingleton<QueueCatalog>().AddSingleton<QueueService>();
        services.AddSingleton<ScheduleService>().AddSingleton<ScheduleSignal>();
        services.TryAddSingleton(new ReplyAddress(Guid.NewGuid().ToString("N")));
        services.AddSingleton<CompletionRouter>().AddSingleton<ReplySender>().AddSingleton<QueueRouter>();
        services.AddOptions<FileStoreOptions>().BindConfiguration("TaskQueue:Files").ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<WebhookOptions>().BindConfiguration("TaskQueue:Webhooks").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<CallbackEvents>().AddSingleton<WebhookReceivers>();
        services.AddSingleton<FileService>();
        services.AddTaskQueueQuotas();
        services.AddSingleton<IFileContents>(sp =>
            sp.GetRequiredService<IOptions<FileStoreOptions>>().Value is var files && files.IsOnDisk(database)
                ? new EncryptedFileContents(new DiskFileContents(files.FolderOf(database)), sp.GetRequiredService<DataCipher>())
                : new EncryptedFileContents(ActivatorUtilities.CreateInstance<DatabaseFileContents>(sp), sp.GetRequiredService<DataCipher>()));
        services.AddTaskQueueQuarantine();
        services.AddOptions<RoutingOptions>().BindConfiguration("TaskQueue:Routing");
        services.AddSingleton<AdmissionLimiter>().AddSingleton<TaskService>().AddSingleton<TaskQueries>().AddSingleton<TaskClaimer>();

        // Hosted services stop in reverse: the outbox dispatcher first, so that another process continues, then the bus, then the group commit, which drains.
        services.AddTaskQueueStorage(database);
        services.AddSingleton(sp => new TaskStateMachine(sp.GetRequiredService<IOptions<EngineOptions>>().Value.KeepFinished));
        services.AddSingleton<BatchStateMachine>().AddSingleton<BatchRepository>().AddSingleton<BatchService>().AddSingleton<BatchQueries>().AddSingleton<BatchStore>();
        services.AddOptions<BatchLimits>().BindConfiguration("TaskQueue:Batches").ValidateDataAnnotations().ValidateOnStart();
        services.TryAddSingleton<BellaTaskIds>();
        services.AddMediator(x => x.ConfigureMediator((context, cfg) =>
        {
            cfg.StateMachineSaga(context.GetRequiredService<TaskStateMachine>(), new SagaRepository<TaskState>(context.GetRequiredService<GroupCommitRepository>()));
            cfg.StateMachineSaga(context.GetRequiredService<BatchStateMachine>(), new SagaRepository<BatchState>(context.GetRequiredService<BatchRepository>()));
        }));
        services.AddSingleton<EventPublisher>().AddSingleton<IsolatingPublisher>().AddSingleton<InFlightLimiter>();
        services.AddHostedService<LostReplyWatch>().AddLoopHealth<LostReplyWatch>();
        services.AddSingleton<CompletionWaiters>().AddHostedService<CompletionWatch>().AddLoopHealth<CompletionWatch>();
        services.AddSingleton<EventFeed>().AddHostedService(sp => sp.GetRequiredService<EventFeed>()).AddLoopHealth<EventFeed>();
        services.AddOptions<AgentOptions>().BindConfiguration("TaskQueue:Agent").ValidateDataAnnotations().ValidateOnStart();
        services.AddTaskQueueBus(bus, roles);
        services.AddHostedService<OutboxDispatcher>().AddLoopHealth<OutboxDispatcher>();
        return services;
    }
}
