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
    /// A process that freezes in a transaction, or loses its network, holds locks: PostgreSQL ends its session after two seconds.
    /// </remarks>
    internal const string SessionOptions = "-c jit=off -c idle_in_transaction_session_timeout=2000";

    internal const int MaxAutoPrepare = 40;

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
        services.AddSingleton(_ =>
        {
            var builder = new NpgsqlDataSourceBuilder(connectionString);
            builder.ConnectionStringBuilder.ApplicationName ??= "taskqueue";
            builder.ConnectionStringBuilder.Options ??= SessionOptions;
            // The hot-path statements are few and long: plan them once for each connection.
            if (builder.ConnectionStringBuilder.MaxAutoPrepare == 0)
                builder.ConnectionStringBuilder.MaxAutoPrepare = MaxAutoPrepare;
            LimitWaits(builder.ConnectionStringBuilder);
            return builder.Build();
        });
        services.AddPooledDbContextFactory<PostgresTaskDbContext>((sp, o) =>
            o.UseNpgsql(sp.GetRequiredService<NpgsqlDataSource>()).AddInterceptors(EncryptedEntities.Instance));
        StorageRegistration.AddStore<PostgresTaskDbContext,
        PostgresTaskStore>(services, sp => new PostgresTaskStore(sp.GetRequiredService<NpgsqlDataSource>()));
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
    public bool IsMissing(DbException fault) => fault is { SqlState: PostgresErrorCodes.InvalidCatalogName };

    /// <summary>
    /// Detects an unresponsive server quickly: a request must not wait half a minute for a 503, and the connection that listens for events
    /// sends nothing by itself. Settings of the connection string take precedence.
    /// </summary>
    private static void LimitWaits(NpgsqlConnectionStringBuilder connection)
    {
        var said = connection.Keys.Cast<string>().ToHashSet(StringComparer.OrdinalIgnoreCase);
        if (!said.Contains("Timeout"))
            connection.Timeout = StorageRegistration.ConnectSeconds;
        if (!said.Contains("Command Timeout"))
            connection.CommandTimeout = StorageRegistration.CommandSeconds;
        if (!said.Contains("Keepalive"))
            connection.KeepAlive = KeepAliveSeconds;
    }
}
