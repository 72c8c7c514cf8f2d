using System.Data.Common;
using Microsoft.EntityFrameworkCore;

namespace TaskQueue.Storage;

/// <summary>Migrates the database to the version of this program.</summary>
/// <param name="databases">Opens it.</param>
/// <param name="address">Where it is.</param>
/// <param name="provider">Whose it is; null is the registered provider of the address.</param>
public sealed class DatabaseMigrator(IDbContextFactory<TaskDbContext> databases, DatabaseAddress address, IStorageProvider? provider = null)
{
    /// <summary>Applies pending migrations.</summary>
    /// <returns>Names of the applied migrations; empty if there were none.</returns>
    public async Task<IReadOnlyList<string>> MigrateAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var pending = await PendingAsync(db, cancellationToken);
        db.Database.SetCommandTimeout(0); // creating an index on a large table may take any time
        if (pending.Count > 0)
            await db.Database.MigrateAsync(cancellationToken);
        return pending;
    }

    /// <summary>Names of the pending migrations.</summary>
    public async Task<IReadOnlyList<string>> PendingAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await PendingAsync(db, cancellationToken);
    }

    /// <summary>Statements that an administrator must run, because the database lacks settings; empty if it lacks none.</summary>
    public async Task<IReadOnlyList<string>> MissingSettingsAsync(CancellationToken cancellationToken)
    {
        if ((provider ?? StorageProviders.Of(address.Provider)).MissingSettingsSql is not { } sql)
            return [];
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Database.SqlQueryRaw<string>(sql).ToListAsync(cancellationToken);
    }

    private async Task<List<string>> PendingAsync(TaskDbContext db, CancellationToken cancellationToken)
    {
        // For a missing database all migrations are pending; an unreachable one throws.
        try
        {
            var known = db.Database.GetMigrations().ToList();
            var applied = (await db.Database.GetAppliedMigrationsAsync(cancellationToken)).ToHashSet(StringComparer.Ordinal);
            if (applied.Count > 0 && !known.Exists(applied.Contains))
                throw new UnknownDatabaseException();
            return known.FindAll(m => !applied.Contains(m));
        }
        catch (DbException fault) when (StorageProviders.Of(address.Provider).IsMissing(fault))
        {
            return [.. db.Database.GetMigrations()];
        }
    }
}

/// <summary>The migration history of the database is unknown: it belongs to an unreleased version or to another program.</summary>
public sealed class UnknownDatabaseException()
    : Exception("it has migrations of another program or of an unreleased version; use an empty database");
