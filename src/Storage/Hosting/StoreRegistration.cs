using MassTransit.Saga;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Audit;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Bulk;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Logs;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Statistics;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Why;
using TaskQueue.Engine.Workers;
using TaskQueue.Storage.Audit;
using TaskQueue.Storage.Auth;
using TaskQueue.Storage.Batches;
using TaskQueue.Storage.Bulk;
using TaskQueue.Storage.Callbacks;
using TaskQueue.Storage.Failures;
using TaskQueue.Storage.Files;
using TaskQueue.Storage.Logs;
using TaskQueue.Storage.Quarantine;
using TaskQueue.Storage.Queues;
using TaskQueue.Storage.Quotas;
using TaskQueue.Storage.Schedules;
using TaskQueue.Storage.Search;
using TaskQueue.Storage.Statistics;
using TaskQueue.Storage.Tasks;
using TaskQueue.Storage.Why;
using TaskQueue.Storage.Workers;

namespace TaskQueue.Storage.Hosting;

/// <summary>Registers the stores that implement the ports of the engine.</summary>
internal static class StoreRegistration
{
    /// <summary>Adds the stores that are the same on every database.</summary>
    public static void AddStores(this IServiceCollection services)
    {
        services.AddSingleton<IQuotaStore, QuotaStore>().AddSingleton<ITenantUsageStore, TenantUsageStore>()
            .AddSingleton<IAuditStore, AuditStore>()
            .AddSingleton<IIssuedKeyStore, IssuedKeyStore>().AddSingleton<ISessionKeyStore, SessionKeyStore>();
        services.TryAddSingleton(FileContents); // a host may bring its own
        services.AddSingleton<IFileStore, FileStore>()
            .AddSingleton<IQueueRecordStore, QueueRecordStore>()
            .AddSingleton<IScheduleStore, ScheduleStore>();
        services.AddSingleton<ITaskQueries, TaskQueries>().AddSingleton<ITaskLogStore, TaskLogStore>()
            .AddSingleton<FailureStore>().AddSingleton<IFailureStore>(sp => sp.GetRequiredService<FailureStore>())
            .AddSingleton<IFailureCounter>(sp => sp.GetRequiredService<FailureStore>());
        services.AddSingleton(new SearchLimits()).AddSingleton<ITaskSearch, TaskSearches>().AddSingleton<IWhyQueries, WhyQueries>();
        services.AddSingleton<IBatchQueries, BatchQueries>().AddSingleton<IBatchStore, BatchStore>();
        services.AddSingleton<ISagaRepositoryContextFactory<BatchState>, BatchRepository>();
        services.AddSingleton<IWebhookStore, WebhookStore>().AddSingleton<ICallbackRepeats, CallbackRepeats>()
            .AddSingleton<ICallbackQueries, CallbackQueries>();
        services.AddSingleton<QuarantineStore>().AddSingleton<IQuarantineStore>(sp => sp.GetRequiredService<QuarantineStore>());
        services.AddSingleton<IParkingStore, ParkingStore>();
        services.AddSingleton<IBulkOperationStore, BulkOperationStore>();
        services.AddSingleton<IWorkerStore, WorkerStore>().AddSingleton<IStatisticsStore, StatisticsStore>();
    }

    private static IFileContents FileContents(IServiceProvider services)
    {
        var (options, local) = (
            services.GetRequiredService<IOptions<FileStoreOptions>>().Value, services.GetRequiredService<LocalDatabaseFolder>());
        IFileContents contents = options.KindFor(local) switch
        {
            FileStoreKind.Disk => new DiskFileContents(options.FolderOf(local)),
            FileStoreKind.Database => ActivatorUtilities.CreateInstance<DatabaseFileContents>(services),
            var other => services.GetRequiredKeyedService<IFileContents>(other), // another assembly's
        };
        return new EncryptedFileContents(contents, services.GetRequiredService<DataCipher>());
    }
}
