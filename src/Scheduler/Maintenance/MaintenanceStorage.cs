using System.Data.Common;
using Hangfire;
using Hangfire.InMemory;
using Hangfire.PostgreSql;
using Hangfire.PostgreSql.Factories;
using Hangfire.SqlServer;
using Npgsql;
using TaskQueue.Storage;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>Hangfire's job storage: a separate schema in the TaskQueue database, or with SQLite the memory of its single process.</summary>
internal static class MaintenanceStorage
{
    /// <summary>Interval of polling for runs requested by other processes.</summary>
    private static readonly TimeSpan PollQueue = TimeSpan.FromSeconds(2);

    /// <summary>How long ended runs are kept for inspection.</summary>
    private static readonly TimeSpan Keep = TimeSpan.FromHours(1), KeepInMemory = TimeSpan.FromMinutes(5);

    /// <summary>Locks are held only briefly; a lock left by a killed process is ignored after this time.</summary>
    private static readonly TimeSpan LongestLock = TimeSpan.FromSeconds(30);

    /// <summary>How long Hangfire tries a write again that PostgreSQL refuses because of others; half a second by default.</summary>
    private static readonly TimeSpan LongestRace = TimeSpan.FromSeconds(30);

    /// <summary>Few connections for the workers and the sweeps, which are mostly idle.</summary>
    private const int MaxConnections = 8, IdleSeconds = 30, CommandSeconds = 30;

    public static JobStorage Create(DatabaseAddress database, MaintenanceOptions options)
    {
        JobStorage storage = database.Provider switch
        {
            DatabaseProvider.Postgres => OfPostgres(database.ConnectionString, options),
            DatabaseProvider.SqlServer => OfSqlServer(database.ConnectionString, options),
            _ => new InMemoryStorage(new InMemoryStorageOptions { MaxExpirationTime = KeepInMemory }),
        };
        storage.JobExpirationTimeout = database.Provider == DatabaseProvider.Sqlite ? KeepInMemory : Keep;
        return storage;
    }

    private static PostgreSqlStorage OfPostgres(string connectionString, MaintenanceOptions options)
    {
        var connection = new NpgsqlConnectionStringBuilder(StorageProviders.Of(DatabaseProvider.Postgres).WithLimits(connectionString))
        {
            ApplicationName = "taskqueue maintenance", Enlist = true, MaxAutoPrepare = 0,
        };
        connection.MaxPoolSize = Math.Min(connection.MaxPoolSize, MaxConnections);
        connection.MinPoolSize = 0;
        connection.ConnectionIdleLifetime = IdleSeconds;
        var storage = new PostgreSqlStorageOptions
        {
            SchemaName = MaintenanceSchema.Name,
            PrepareSchemaIfNecessary = false,
            QueuePollInterval = PollQueue,
            InvisibilityTimeout = options.TakeOverAfter,
            UseSlidingInvisibilityTimeout = true,
            DistributedLockTimeout = LongestLock,
            TransactionSynchronisationTimeout = LongestRace,
        };
        return new PostgreSqlStorage(new NpgsqlConnectionFactory(connection.ConnectionString, storage), storage);
    }

    private static SqlServerStorage OfSqlServer(string connectionString, MaintenanceOptions options)
    {
        var factory = Factory(connectionString);
        return new SqlServerStorage(
            () =>
            {
                var connection = factory.CreateConnection()!;
                connection.ConnectionString = connectionString;
                return connection;
            },
            new SqlServerStorageOptions
            {
                SchemaName = MaintenanceSchema.Name,
                PrepareSchemaIfNecessary = false,
                TryAutoDetectSchemaDependentOptions = false, // detection would connect to the server now
                SqlClientFactory = factory,
                QueuePollInterval = PollQueue,
                SlidingInvisibilityTimeout = options.TakeOverAfter,
                CommandTimeout = TimeSpan.FromSeconds(CommandSeconds),
                DisableGlobalLocks = true,
            });
    }

    private static DbProviderFactory Factory(string connectionString)
    {
        using var connection = StorageProviders.Of(DatabaseProvider.SqlServer).Connect(connectionString, CommandSeconds);
        return DbProviderFactories.GetFactory(connection)!;
    }
}
