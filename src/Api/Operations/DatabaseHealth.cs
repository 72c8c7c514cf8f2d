using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using TaskQueue.Engine;
using TaskQueue.Engine.Clocks;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Storage;

namespace TaskQueue.Api.Operations;

/// <summary>
/// Healthy if the database answers, has all migrations and takes writes: on a full disk reads succeed. A wrong clock of this machine is
/// shown; it does no harm.
/// </summary>
internal sealed class DatabaseHealth(DatabaseMigrator migrator, DatabaseWatch watch, DatabaseAddress address, DependencyHealth dependencies)
    : IHealthCheck
{
    private const int Patience = 2;

    /// <summary>
    /// Writes more pages than the cache holds, so that they reach the write-ahead log before the rollback removes them. The last page of a
    /// full log may have room for a small row, but for no task.
    /// </summary>
    private const string Probe = """
        pragma cache_size = 1;
        pragma cache_spill = 1;
        begin immediate;
        create table health_probe (content blob);
        insert into health_probe values (zeroblob(262144));
        rollback;
        """;

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var pending = await migrator.PendingAsync(cancellationToken);
        if (pending.Count > 0)
            return HealthCheckResult.Unhealthy($"{pending.Count} migration(s) are missing; run 'taskqueue migrate'");
        if (dependencies.Database.IsOn && address.Provider == DatabaseProvider.Sqlite
            && await WriteProblemAsync(cancellationToken) is { } problem)
            return HealthCheckResult.Unhealthy(problem);
        return dependencies.Database.IsRefusing ? HealthCheckResult.Unhealthy("the database refused to write a moment ago")
            : HealthCheckResult.Healthy(watch.Difference);
    }

    /// <summary>Writes to the file without changing anything; the outage ends if that succeeds.</summary>
    private async Task<string?> WriteProblemAsync(CancellationToken cancellationToken)
    {
        try
        {
            var own = new SqliteConnectionStringBuilder(address.ConnectionString) { Pooling = false }; // its cache is too small for others
            await using var connection = new SqliteConnection(own.ConnectionString) { DefaultTimeout = Patience };
            await connection.OpenAsync(cancellationToken);
            await using var command = connection.CreateCommand();
            command.CommandText = Probe;
            await command.ExecuteNonQueryAsync(cancellationToken);
            dependencies.Database.ReportSuccess(isWrite: true);
            return null;
        }
        catch (SqliteException fault)
        {
            dependencies.Database.ReportFailure(fault.Message, StorageFaults.RefusesWrites(fault));
            return $"the database file cannot be written: {fault.Message}";
        }
    }
}
