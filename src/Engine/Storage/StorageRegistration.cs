using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Storage.GroupCommit;
using TaskQueue.Engine.Storage.Postgres;
using TaskQueue.Engine.Storage.Sqlite;

namespace TaskQueue.Engine.Storage;

/// <summary>Puts the storage together.</summary>
public static class StorageRegistration
{
    /// <summary>No statement here is worth compiling, and the planner's guesses about array parameters would make it try.</summary>
    internal const string SessionOptions = "-c jit=off";

    internal const int MaxAutoPrepare = 40;

    /// <summary>Adds the EF Core model, the hot statements and the group commit for a database.</summary>
    public static IServiceCollection AddTaskQueueStorage(this IServiceCollection services, DatabaseAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        services.AddSingleton(address).AddSingleton<DatabaseMigrator>().AddTaskQueueEncryption();
        switch (address.Provider)
        {
            case DatabaseProvider.Postgres:
                AddPostgres(services, address.ConnectionString);
                break;
            case DatabaseProvider.SqlServer:
                SqlServerAssembly.Load().AddStorage(services, address.ConnectionString);
                break;
            default:
                AddSqlite(services, address.ConnectionString);
                break;
        }

        services.AddSingleton<GroupCommitter>();
        services.AddHostedService(sp => sp.GetRequiredService<GroupCommitter>()).AddLoopHealth<GroupCommitter>();
        services.AddSingleton<GroupCommitRepository>();
        return services;
    }

    private static void AddPostgres(IServiceCollection services, string connectionString)
    {
        services.AddSingleton(_ =>
        {
            var builder = new NpgsqlDataSourceBuilder(connectionString);
            builder.ConnectionStringBuilder.ApplicationName ??= "taskqueue";
            builder.ConnectionStringBuilder.Options ??= SessionOptions;
            // The hot statements are few and long: plan them once a connection.
            if (builder.ConnectionStringBuilder.MaxAutoPrepare == 0)
                builder.ConnectionStringBuilder.MaxAutoPrepare = MaxAutoPrepare;
            LimitWaits(builder.ConnectionStringBuilder);
            return builder.Build();
        });
        services.AddPooledDbContextFactory<PostgresTaskDbContext>((sp, o) => o.UseNpgsql(sp.GetRequiredService<NpgsqlDataSource>()).AddInterceptors(EncryptedEntities.Instance));
        AddStore<PostgresTaskDbContext, PostgresTaskStore>(services, sp => new PostgresTaskStore(sp.GetRequiredService<NpgsqlDataSource>()));
        services.AddSingleton(sp => new GroupCommitOptions(sp.GetRequiredService<IOptions<EngineOptions>>().Value.CommitLanes));
    }

    /// <summary>
    /// A server that is silent must be found out, and soon: nobody should wait half a minute for a 503, and the connection that
    /// listens for events sends nothing by itself. What the connection string says goes before.
    /// </summary>
    private static void LimitWaits(NpgsqlConnectionStringBuilder connection)
    {
        var said = connection.Keys.Cast<string>().ToHashSet(StringComparer.OrdinalIgnoreCase);
        if (!said.Contains("Timeout"))
            connection.Timeout = ConnectSeconds;
        if (!said.Contains("Command Timeout"))
            connection.CommandTimeout = CommandSeconds;
        if (!said.Contains("Keepalive"))
            connection.KeepAlive = KeepAliveSeconds;
    }

    internal const int ConnectSeconds = 5, CommandSeconds = 10;

    private const int KeepAliveSeconds = 10;

    /// <summary>For statements that read or change a whole queue at once, and for migrations.</summary>
    internal const int LongCommandSeconds = 120;

    private static void AddSqlite(IServiceCollection services, string connectionString)
    {
        services.AddPooledDbContextFactory<SqliteTaskDbContext>(o => o.UseSqlite(connectionString).AddInterceptors(EncryptedEntities.Instance));
        AddStore<SqliteTaskDbContext, SqliteTaskStore>(services, _ => new SqliteTaskStore(connectionString));
        services.AddSingleton(new GroupCommitOptions(Lanes: 1));
    }

    /// <summary>Adds one store under all its names, and the factory of its context.</summary>
    internal static void AddStore<TContext, TStore>(IServiceCollection services, Func<IServiceProvider, TStore> create)
        where TContext : TaskDbContext
        where TStore : class, ITaskStore, IQueueStore, ICallbackStore, IBacklogStore
    {
        services.AddSingleton<IDbContextFactory<TaskDbContext>, BaseFactory<TContext>>();
        services.AddSingleton(create);
        services.AddSingleton<ITaskStore>(sp => ActivatorUtilities.CreateInstance<EncryptedTaskStore>(sp, sp.GetRequiredService<TStore>()));
        services.AddSingleton<IQueueStore>(sp => sp.GetRequiredService<TStore>());
        services.AddSingleton<ICallbackStore>(sp => ActivatorUtilities.CreateInstance<EncryptedCallbackStore>(sp, sp.GetRequiredService<TStore>()));
        services.AddSingleton<IBacklogStore>(sp => sp.GetRequiredService<TStore>());
    }

    /// <summary>Gives the context of a provider where the base class is asked for.</summary>
    private sealed class BaseFactory<T>(IDbContextFactory<T> factory) : IDbContextFactory<TaskDbContext>
        where T : TaskDbContext
    {
        public TaskDbContext CreateDbContext() => factory.CreateDbContext();
    }
}
