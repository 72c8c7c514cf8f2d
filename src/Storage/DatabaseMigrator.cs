using System.Data.Common;
using Microsoft.EntityFrameworkCore;

namespace TaskQueue.Storage;

/// <summary>Brings the database to the version of this program.</summary>
public sealed class DatabaseMigrator(IDbContextFactory<TaskDbContext> databases, DatabaseAddress address)
{
    /// <summary>Applies what is missing.</summary>
    /// <returns>Names of the migrations that were applied; none where there was nothing to do.</returns>
    public async Task<IReadOnlyList<string>> MigrateAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var pending = await PendingAsync(db, cancellationToken);
        db.Database.SetCommandTimeout(0); // an index of a large table takes what it takes
        if (pending.Count > 0)
            await db.Database.MigrateAsync(cancellationToken);
        return pending;
    }

    /// <summary>Names of the migrations that are missing.</summary>
    public async Task<IReadOnlyList<string>> PendingAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await PendingAsync(db, cancellationToken);
    }

    private async Task<List<string>> PendingAsync(TaskDbContext db, CancellationToken cancellationToken)
    {
        // A database that does not exist yet has everything to come; one that cannot be reached says so.
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

/// <summary>
/// The database has another history than this program's: it belongs to a version that was never released, or to another program.
/// </summary>
public sealed class UnknownDatabaseException()
    : Exception("it has migrations of another program or of a version that was never released; name an empty database");
