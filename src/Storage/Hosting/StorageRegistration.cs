using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Clocks;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Scaling;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.GroupCommit;
using TaskQueue.Storage.Logs;
using TaskQueue.Storage.Statistics;
using TaskQueue.Storage.Workers;

namespace TaskQueue.Storage.Hosting;

/// <summary>Registers the storage.</summary>
public static class StorageRegistration
{
    /// <summary>Adds the EF Core model, the hot-path statements and the group commit for a database.</summary>
    public static IServiceCollection AddTaskQueueStorage(this IServiceCollection services, DatabaseAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        services.AddSingleton(address).AddSingleton<DatabaseMigrator>();
        var provider = StorageProviders.Of(address.Provider);
        services.AddSingleton<IDatabaseProbe>(sp =>
            new DatabaseProbe(seconds => provider.Connect(address.ConnectionString, seconds), sp.GetRequiredService<TimeProvider>()));
        services.TryAddSingleton<IDatabaseTimeSource>(sp => ActivatorUtilities.CreateInstance<DatabaseTimeSource>(sp, provider));
        provider.AddStorage(services, address.ConnectionString);
        services.AddStores();
        services.TryAddSingleton(new LocalDatabaseFolder(null));
        services.AddSingleton<GroupCommitter>().AddSingleton<ITaskCommitter>(sp => sp.GetRequiredService<GroupCommitter>());
        services.AddHostedService(sp => sp.GetRequiredService<GroupCommitter>()).AddLoopHealth<GroupCommitter>();
        return services;
    }

    internal const int ConnectSeconds = 5, CommandSeconds = 10;

    /// <summary>Timeout of statements that read or change a whole queue, and of migrations.</summary>
    internal const int LongCommandSeconds = 120;

    /// <summary>Registers a store under all its interfaces, and the factory of its context.</summary>
    internal static void AddStore<TContext, TStore>(IServiceCollection services, Func<IServiceProvider, TStore> create)
        where TContext : TaskDbContext
        where TStore : class, ITaskStore, IQueueStore, ICallbackStore, IBacklogStore, IWorkerWrites, IStatisticsWrites,
            ITaskLogWrites
    {
        services.AddSingleton<IDbContextFactory<TaskDbContext>, BaseFactory<TContext>>();
        services.AddSingleton(create);
        services.AddSingleton<ITaskStore>(sp => ActivatorUtilities.CreateInstance<EncryptedTaskStore>(sp, sp.GetRequiredService<TStore>()));
        services.AddSingleton<IQueueStore>(sp => sp.GetRequiredService<TStore>());
        services.AddSingleton<ICallbackStore>(sp =>
            ActivatorUtilities.CreateInstance<EncryptedCallbackStore>(sp, sp.GetRequiredService<TStore>()));
        services.AddSingleton<IBacklogStore>(sp => sp.GetRequiredService<TStore>());
        services.AddSingleton<IWorkerWrites>(sp => sp.GetRequiredService<TStore>());
        services.AddSingleton<IStatisticsWrites>(sp => sp.GetRequiredService<TStore>());
        services.AddSingleton<ITaskLogWrites>(sp => sp.GetRequiredService<TStore>());
    }

    /// <summary>Provides the context of a provider as its base class.</summary>
    private sealed class BaseFactory<T>(IDbContextFactory<T> factory) : IDbContextFactory<TaskDbContext>
        where T : TaskDbContext
    {
        public TaskDbContext CreateDbContext() => factory.CreateDbContext();
    }
}
