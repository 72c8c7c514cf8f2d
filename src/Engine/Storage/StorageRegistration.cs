using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;
using TaskQueue.Engine.Callbacks;
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
        services.AddSingleton(address).AddSingleton<DatabaseMigrator>();
        if (address.Provider == DatabaseProvider.Postgres)
            AddPostgres(services, address.ConnectionString);
        else
            AddSqlite(services, address.ConnectionString);
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
            return builder.Build();
        });
        services.AddPooledDbContextFactory<PostgresTaskDbContext>((sp, o) => o.UseNpgsql(sp.GetRequiredService<NpgsqlDataSource>()));
        services.AddSingleton<IDbContextFactory<TaskDbContext>, BaseFactory<PostgresTaskDbContext>>();
        services.AddSingleton(sp => new PostgresTaskStore(sp.GetRequiredService<NpgsqlDataSource>()));
        services.AddSingleton<ITaskStore>(sp => sp.GetRequiredService<PostgresTaskStore>());
        services.AddSingleton<IQueueStore>(sp => sp.GetRequiredService<PostgresTaskStore>());
        services.AddSingleton<ICallbackStore>(sp => sp.GetRequiredService<PostgresTaskStore>());
        services.AddSingleton<IBacklogStore>(sp => sp.GetRequiredService<PostgresTaskStore>());
        services.AddSingleton(sp => new GroupCommitOptions(sp.GetRequiredService<IOptions<EngineOptions>>().Value.CommitLanes));
    }

    private static void AddSqlite(IServiceCollection services, string connectionString)
    {
        services.AddPooledDbContextFactory<SqliteTaskDbContext>(o => o.UseSqlite(connectionString));
        services.AddSingleton<IDbContextFactory<TaskDbContext>, BaseFactory<SqliteTaskDbContext>>();
        services.AddSingleton(_ => new SqliteTaskStore(connectionString));
        services.AddSingleton<ITaskStore>(sp => sp.GetRequiredService<SqliteTaskStore>());
        services.AddSingleton<IQueueStore>(sp => sp.GetRequiredService<SqliteTaskStore>());
        services.AddSingleton<ICallbackStore>(sp => sp.GetRequiredService<SqliteTaskStore>());
        services.AddSingleton<IBacklogStore>(sp => sp.GetRequiredService<SqliteTaskStore>());
        services.AddSingleton(new GroupCommitOptions(Lanes: 1));
    }

    /// <summary>Gives the context of a provider where the base class is asked for.</summary>
    private sealed class BaseFactory<T>(IDbContextFactory<T> factory) : IDbContextFactory<TaskDbContext>
        where T : TaskDbContext
    {
        public TaskDbContext CreateDbContext() => factory.CreateDbContext();
    }
}
