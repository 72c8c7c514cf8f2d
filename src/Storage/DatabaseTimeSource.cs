using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Clocks;

namespace TaskQueue.Storage;

/// <summary>Reads the time with a statement of the provider; a SQLite file has the time of the machine.</summary>
internal sealed class DatabaseTimeSource(IDbContextFactory<TaskDbContext> databases, IStorageProvider provider, DatabaseClock clock)
    : IDatabaseTimeSource
{
    private volatile bool _isServerUnknown;

    public bool HasClock => provider.TimeExpression is not null;

    public async Task<DatabaseTime> ReadAsync(CancellationToken cancellationToken)
    {
        if (provider.TimeExpression is not { } time)
        {
            var before = clock.GetTimestamp();
            return new DatabaseTime(clock.Machine.GetUtcNow(), null, before, clock.GetTimestamp());
        }

        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await db.Database.OpenConnectionAsync(cancellationToken);
        if (!_isServerUnknown && provider.ServerExpression is { } server)
        {
            try
            {
                return await AskAsync(db.Database.GetDbConnection(), $"select {time}, {server}", cancellationToken);
            }
            catch (DbException fault) when (fault.SqlState is ['4', '2', ..] or ['0', 'A', ..])
            {
                _isServerUnknown = true; // a compatible database that lacks the functions, or a user who may not call them
            }
        }

        return await AskAsync(db.Database.GetDbConnection(), $"select {time}, null", cancellationToken);
    }

    private async Task<DatabaseTime> AskAsync(DbConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // expressions of the provider
        command.CommandText = sql;
#pragma warning restore CA2100
        var sent = clock.GetTimestamp();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var received = clock.GetTimestamp();
        var now = new DateTimeOffset(DateTime.SpecifyKind(reader.GetDateTime(0), DateTimeKind.Utc));
        return new DatabaseTime(now, await reader.IsDBNullAsync(1, cancellationToken) ? null : reader.GetString(1), sent, received);
    }
}
