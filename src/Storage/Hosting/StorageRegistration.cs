using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Scaling;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.GroupCommit;

namespace TaskQueue.Storage.Hosting;

/// <summary>Puts the storage together.</summary>
public static class StorageRegistration
{
    /// <summary>Adds the EF Core model, the hot statements and the group commit for a database.</summary>
    public static IServiceCollection AddTaskQueueStorage(this IServiceCollection services, DatabaseAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        services.AddSingleton(address).AddSingleton<DatabaseMigrator>();
        var provider = StorageProviders.Of(address.Provider);
        services.AddSingleton<IDatabaseProbe>(sp =>
            new DatabaseProbe(seconds => provider.Connect(address.ConnectionString, seconds), sp.GetRequiredService<TimeProvider>()));
        provider.AddStorage(services, address.ConnectionString);
        services.AddStores();
        services.TryAddSingleton(new LocalDatabaseFolder(null));
        services.AddSingleton<GroupCommitter>();
        services.AddHostedService(sp => sp.GetRequiredService<GroupCommitter>()).AddLoopHealth<GroupCommitter>();
        return services;
    }

    internal const int ConnectSeconds = 5, CommandSeconds = 10;

    /// <summary>For statements that read or change a whole queue at once, and for migrations.</summary>
    internal const int LongCommandSeconds = 120;

    /// <summary>Adds one store under all its names, and the factory of its context.</summary>
    internal static void AddStore<TContext, TStore>(IServiceCollection services, Func<IServiceProvider, TStore> create)
        where TContext : TaskDbContext
        where TStore : class, ITaskStore, IQueueStore, ICallbackStore, IBacklogStore
    {
        services.AddSingleton<IDbContextFactory<TaskDbContext>, BaseFactory<TContext>>();
        services.AddSingleton(create);
        services.AddSingleton<ITaskStore>(sp => ActivatorUtilities.CreateInstance<EncryptedTaskStore>(sp, sp.GetRequiredService<TStore>()));
        services.AddSingleton<IQueueStore>(sp => sp.GetRequiredService<TStore>());
        services.AddSingleton<ICallbackStore>(sp =>
            ActivatorUtilities.CreateInstance<EncryptedCallbackStore>(sp, sp.GetRequiredService<TStore>()));
        services.AddSingleton<IBacklogStore>(sp => sp.GetRequiredService<TStore>());
    }

    /// <summary>Gives the context of a provider where the base class is asked for.</summary>
    private sealed class BaseFactory<T>(IDbContextFactory<T> factory) : IDbContextFactory<TaskDbContext>
        where T : TaskDbContext
    {
        public TaskDbContext CreateDbContext() => factory.CreateDbContext();
    }
}
