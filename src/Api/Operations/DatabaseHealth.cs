using System.Globalization;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using TaskQueue.Engine.Clocks;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Storage;

namespace TaskQueue.Api.Operations;

/// <summary>
/// Healthy if the database answers and has all migrations, and a SQLite file can be written: on a full disk reads succeed. A wrong clock of
/// this machine is shown; it does no harm.
/// </summary>
internal sealed class DatabaseHealth(DatabaseMigrator migrator, DatabaseWatch watch, DatabaseAddress address, DependencyHealth dependencies)
    : IHealthCheck
{
    private const int Patience = 2;

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var pending = await migrator.PendingAsync(cancellationToken);
        if (pending.Count > 0)
            return HealthCheckResult.Unhealthy($"{pending.Count} migration(s) are missing; run 'taskqueue migrate'");
        if (address.Provider != DatabaseProvider.Sqlite || !dependencies.Database.IsOn)
            return HealthCheckResult.Healthy(watch.Difference);
        return dependencies.Database.IsFresh ? HealthCheckResult.Unhealthy("the database file could not be written a moment ago")
            : await WriteProblemAsync(cancellationToken) is { } problem ? HealthCheckResult.Unhealthy(problem)
            : HealthCheckResult.Healthy(watch.Difference);
    }

    /// <summary>Writes to the file without changing anything; the outage ends if that succeeds.</summary>
    private async Task<string?> WriteProblemAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = new SqliteConnection(address.ConnectionString) { DefaultTimeout = Patience };
            await connection.OpenAsync(cancellationToken);
            await using var command = connection.CreateCommand();
            command.CommandText = "pragma user_version";
            var version = await command.ExecuteScalarAsync(cancellationToken);
            command.CommandText = string.Create(CultureInfo.InvariantCulture, $"pragma user_version = {version}");
            await command.ExecuteNonQueryAsync(cancellationToken);
            dependencies.Database.ReportSuccess();
            return null;
        }
        catch (SqliteException fault)
        {
            dependencies.Database.ReportFailure(fault.Message);
            return $"the database file cannot be written: {fault.Message}";
        }
    }
}
