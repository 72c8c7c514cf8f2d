using MassTransit;
using MassTransit.Saga;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Administration;
using TaskQueue.Engine.Audit;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Bulk;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Clocks;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Logs;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Scaling;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Statistics;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Engine.Why;
using TaskQueue.Engine.Workers;

namespace TaskQueue.Engine.Hosting;

/// <summary>Registers the engine.</summary>
public static class EngineRegistration
{
    /// <summary>
    /// Adds the engine. A storage and a bus implement its ports: see <c>AddTaskQueueStorage</c> and <c>AddTaskQueueBus</c>.
    /// </summary>
    public static IServiceCollection AddTaskQueueEngine(this IServiceCollection services)
    {
        services.AddTaskQueueClock();
        services.AddOptions<EngineOptions>().BindConfiguration("TaskQueue").ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<MemoryOptions>().BindConfiguration("TaskQueue:Limits").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<IValidateOptions<MemoryOptions>, MemoryOptionsCheck>().AddSingleton<MemoryBudget>();
        services.AddOptions<DrainOptions>().BindConfiguration("TaskQueue:Drain").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<Drain>();
        services.AddOptions<AuthOptions>().BindConfiguration("TaskQueue:Auth").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<IOptionsMonitor<AuthOptions>, ValidatedOptionsMonitor<AuthOptions>>();
        services.AddSingleton<AuditLog>();
        services.AddOptions<AuditOptions>().BindConfiguration("TaskQueue:Audit").ValidateDataAnnotations().ValidateOnStart();
        services.AddHostedService<AuditWriter>().AddLoopHealth<AuditWriter>();
        services.AddOptions<TelemetryOptions>().BindConfiguration("TaskQueue:Telemetry").ValidateDataAnnotations().ValidateOnStart();
        services.AddTaskQueueHealth();
        services.AddMetrics().AddSingleton<TaskMetrics>().AddSingleton<BacklogWatch>();
        services.AddSingleton<DependencyHealth>();
        services.AddOptions<ScalingOptions>().BindConfiguration("TaskQueue:Scaling").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<QueueScaling>();
        services.AddSingleton<WorkNotifier>().AddSingleton<PostCommitNotifier>();
        services.AddSingleton<QueueCatalog>().AddSingleton<QueueService>();
        services.AddSingleton<ScheduleService>().AddSingleton<ScheduleSignal>();
        services.TryAddSingleton(new ReplyAddress(Guid.NewGuid().ToString("N")));
        services.AddSingleton<CompletionRouter>().AddSingleton<QueueRouter>().AddSingleton<ServedQueues>();
        services.AddOptions<FileStoreOptions>().BindConfiguration("TaskQueue:Files").ValidateDataAnnotations().ValidateOnStart();
        services.AddOptions<WebhookOptions>().BindConfiguration("TaskQueue:Webhooks").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<FileService>().AddSingleton<IDependencyProbe, FileStoreProbe>();
        services.AddTaskQueueQuotas();
        services.AddTaskQueueWorkers();
        services.AddTaskQueueStatistics();
        services.AddTaskQueueBulkOperations();
        services.AddTaskQueueQuarantine();
        services.AddOptions<RoutingOptions>().BindConfiguration("TaskQueue:Routing");
        services.AddOptions<FailureOptions>().BindConfiguration("TaskQueue:Failures").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<FailureCounts>().AddHostedService<FailureWriter>().AddLoopHealth<FailureWriter>();
        services.AddSingleton<TaskLogs>().AddSingleton<AdmissionLimiter>().AddSingleton<TaskService>().AddSingleton<TaskClaimer>();
        services.AddTaskQueueEncryption();
        services.AddSingleton(sp => new TaskStateMachine(sp.GetRequiredService<IOptions<EngineOptions>>().Value.KeepFinished));
        services.AddSingleton<BatchStateMachine>().AddSingleton<BatchService>().AddSingleton<BatchRetry>().AddSingleton<BatchLanes>();
        services.AddOptions<BatchLimits>().BindConfiguration("TaskQueue:Batches").ValidateDataAnnotations().ValidateOnStart();
        services.TryAddSingleton<NumberedTaskIds>();
        services.AddMediator(x => x.ConfigureMediator((context, cfg) =>
        {
            cfg.StateMachineSaga(context.GetRequiredService<BatchStateMachine>(),
                new SagaRepository<BatchState>(context.GetRequiredService<ISagaRepositoryContextFactory<BatchState>>()));
        }));
        services.AddSingleton<InFlightLimiter>().AddSingleton<WhyService>();
        services.AddHostedService<LostReplyWatch>().AddLoopHealth<LostReplyWatch>();
        services.AddSingleton<CompletionWaiters>().AddHostedService<CompletionWatch>().AddLoopHealth<CompletionWatch>();
        services.AddSingleton<EventFeed>().AddHostedService(sp => sp.GetRequiredService<EventFeed>()).AddLoopHealth<EventFeed>();
        services.AddOptions<AgentOptions>().BindConfiguration("TaskQueue:Agent").ValidateDataAnnotations().ValidateOnStart();
        return services;
    }
}
