using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;
using TaskQueue.Engine;
using TaskQueue.Storage.Encryption;
using TaskQueue.Storage.GroupCommit;
using TaskQueue.Storage.Hosting;

namespace TaskQueue.Storage.Postgres;

/// <summary>PostgreSQL 15 or later.</summary>
public sealed class PostgresProvider : IStorageProvider
{
    /// <summary>No statement here is worth compiling, but the planner's estimates for array parameters would trigger it.</summary>
    /// <remarks>
    /// A process that freezes in a transaction, or loses its network, holds locks: PostgreSQL ends its session after two seconds, and
    /// notices soon that a client is gone.
    /// </remarks>
    internal const string SessionOptions = "-c jit=off -c idle_in_transaction_session_timeout=2000 "
        + "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3";

    /// <summary>
    /// Options of the sessions of the store. Its statements are few: each is planned once, not for every call. Statistics of tables that
    /// are empty one minute and full the next must not make it scan them.
    /// </summary>
    internal const string StoreOptions = $"{SessionOptions} -c plan_cache_mode=force_generic_plan -c enable_seqscan=off";

    /// <summary>Connections of the store, and of all other queries, of a process.</summary>
    private const int StoreConnections = 20, QueryConnections = 50;

    /// <summary>Key of the data source of the store.</summary>
    private const string Store = "store";

    internal const int MaxAutoPrepare = 100;

    private const int KeepAliveSeconds = 10;

    /// <inheritdoc />
    public DatabaseProvider Provider => DatabaseProvider.Postgres;

    /// <inheritdoc />
    public string Describe(string connectionString)
    {
        var postgres = new NpgsqlConnectionStringBuilder(connectionString);
        return $"PostgreSQL {postgres.Host}:{postgres.Port}/{postgres.Database}";
    }

    /// <inheritdoc />
    public void AddStorage(IServiceCollection services, string connectionString)
    {
        StorageFaults.Use(new PostgresFaultClassifier());
        services.AddSingleton(_ => CreateSource(connectionString, SessionOptions, QueryConnections));
        services.AddKeyedSingleton(Store, (_, _) => CreateSource(connectionString, StoreOptions, StoreConnections));
        services.AddPooledDbContextFactory<PostgresTaskDbContext>((sp, o) =>
            o.UseNpgsql(sp.GetRequiredService<NpgsqlDataSource>()).AddInterceptors(EncryptedEntities.Instance));
        StorageRegistration.AddStore<PostgresTaskDbContext, PostgresTaskStore>(
            services, sp => new PostgresTaskStore(
                sp.GetRequiredKeyedService<NpgsqlDataSource>(Store), sp.GetRequiredService<TimeProvider>()));
        services.AddSingleton(sp => new GroupCommitOptions(sp.GetRequiredService<IOptions<EngineOptions>>().Value.CommitPartitions));
    }

    /// <inheritdoc />
    public string WithLimits(string connectionString)
    {
        var connection = new NpgsqlConnectionStringBuilder(connectionString);
        LimitWaits(connection);
        return connection.ConnectionString;
    }

    /// <inheritdoc />
    public DbConnection Connect(string connectionString, int seconds) =>
        new NpgsqlConnection(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false, Timeout = seconds,
            CommandTimeout = seconds }.ConnectionString);

    /// <inheritdoc />
    public string TimeExpression => "clock_timestamp()";

    /// <summary>The timeline: each promotion of a replica begins a new one.</summary>
    public string ServerExpression => $"case when not pg_is_in_recovery() then {OutboxLease.Timeline} end";

    /// <inheritdoc />
    public bool IsMissing(DbException fault) => fault is { SqlState: PostgresErrorCodes.InvalidCatalogName };

    /// <summary>Creates a pool; settings of the connection string take precedence.</summary>
    internal static NpgsqlDataSource CreateSource(string connectionString, string options, int connections)
    {
        var builder = new NpgsqlDataSourceBuilder(connectionString);
        var connection = builder.ConnectionStringBuilder;
        connection.ApplicationName ??= "taskqueue";
        // Behind a pooler such as PgBouncer a session belongs to nobody: it takes no options, and keeps no prepared statements.
        if (!connection.NoResetOnClose)
        {
            connection.Options ??= options;
            if (connection.MaxAutoPrepare == 0)
                connection.MaxAutoPrepare = MaxAutoPrepare;
        }

        if (!Names(connection).Contains("Maximum Pool Size"))
            connection.MaxPoolSize = connections;
        LimitWaits(connection);
        return builder.Build();
    }

    private static HashSet<string> Names(NpgsqlConnectionStringBuilder connection) =>
        connection.Keys.Cast<string>().ToHashSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// Detects an unresponsive server quickly: a request must not wait half a minute for a 503, and the connection that listens for events
    /// sends nothing by itself. Settings of the connection string take precedence.
    /// </summary>
    private static void LimitWaits(NpgsqlConnectionStringBuilder connection)
    {
        var said = Names(connection);
        if (!said.Contains("Timeout"))
            connection.Timeout = StorageRegistration.ConnectSeconds;
        if (!said.Contains("Command Timeout"))
            connection.CommandTimeout = StorageRegistration.CommandSeconds;
        if (!said.Contains("Keepalive"))
            connection.KeepAlive = KeepAliveSeconds;
    }
}
