using System.Globalization;
using Hangfire.PostgreSql;
using Hangfire.SqlServer;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using TaskQueue.Storage;

namespace TaskQueue.Scheduler.Maintenance;

/// <summary>Hangfire's tables in the TaskQueue database.</summary>
public sealed class MaintenanceSchema(DatabaseAddress database, IServiceProvider services)
{
    /// <summary>Name of the schema.</summary>
    public const string Name = "maintenance";

    /// <summary>Serializes schema creation between processes that start together.</summary>
    private const long AdvisoryLock = 0x6d61_696e_7465;

    private const string LockSql = "select set_config('idle_in_transaction_session_timeout', '0', true), pg_advisory_xact_lock($1)";

    private const int LongCommandSeconds = 120;

    /// <summary>Creates the tables, or migrates them to this program's version. Idempotent.</summary>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        if (database.Provider == DatabaseProvider.Postgres)
            await PreparePostgresAsync(cancellationToken);
        else if (database.Provider == DatabaseProvider.SqlServer)
            await Task.Run(PrepareSqlServer, cancellationToken);
    }

    private async Task PreparePostgresAsync(CancellationToken cancellationToken)
    {
        await using var connection = await services.GetRequiredService<NpgsqlDataSource>().OpenConnectionAsync(cancellationToken);
        if (await VersionAsync(connection, cancellationToken) >= LatestVersion)
            return;
        // A transaction of its own holds the lock, for the installer has some too: it may be idle for as long as they take.
        await using var second = await services.GetRequiredService<NpgsqlDataSource>().OpenConnectionAsync(cancellationToken);
        await using var transaction = await second.BeginTransactionAsync(cancellationToken);
        await using var command = new NpgsqlCommand(LockSql, second, transaction) { CommandTimeout = LongCommandSeconds };
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = AdvisoryLock });
        await command.ExecuteNonQueryAsync(cancellationToken);
        PostgreSqlObjectsInstaller.Install(connection, Name);
    }

    private void PrepareSqlServer()
    {
        using var connection = StorageProviders.Of(DatabaseProvider.SqlServer).Connect(database.ConnectionString, LongCommandSeconds);
        connection.Open();
        SqlServerObjectsInstaller.Install(connection, Name);
    }

    /// <summary>Hangfire's install scripts carry the version in their names.</summary>
    private static int LatestVersion => typeof(PostgreSqlStorage).Assembly.GetManifestResourceNames()
        .Select(n => n.Split('.')).Where(p => p is [.., "Scripts", "Install", _, "sql"])
        .Max(p => int.Parse(p[^2].AsSpan(1), CultureInfo.InvariantCulture));

    private static async Task<int> VersionAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            await using var command = new NpgsqlCommand($"select max(version) from {Name}.schema", connection);
            return await command.ExecuteScalarAsync(cancellationToken) as int? ?? 0;
        }
        catch (PostgresException fault) when (fault.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName)
        {
            return 0;
        }
    }
}
