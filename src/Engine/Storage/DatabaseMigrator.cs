using System.Data.Common;
using Microsoft.EntityFrameworkCore;

namespace TaskQueue.Engine.Storage;

/// <summary>Brings the database to the version of this program.</summary>
public sealed class DatabaseMigrator(IDbContextFactory<TaskDbContext> databases)
{
    /// <summary>Applies what is missing.</summary>
    /// <returns>Names of the migrations that were applied; none where there was nothing to do.</returns>
    public async Task<IReadOnlyList<string>> MigrateAsync(CancellationToken stop)
    {
        await using var db = await databases.CreateDbContextAsync(stop);
        var pending = await PendingAsync(db, stop);
        db.Database.SetCommandTimeout(0); // an index of a large table takes what it takes
        if (pending.Count > 0)
            await db.Database.MigrateAsync(stop);
        return pending;
    }

    /// <summary>Names of the migrations that are missing.</summary>
    public async Task<IReadOnlyList<string>> PendingAsync(CancellationToken stop)
    {
        await using var db = await databases.CreateDbContextAsync(stop);
        return await PendingAsync(db, stop);
    }

    private static async Task<List<string>> PendingAsync(TaskDbContext db, CancellationToken stop)
    {
        // A database that does not exist yet has everything to come; one that cannot be reached says so.
        try
        {
            return [.. await db.Database.GetPendingMigrationsAsync(stop)];
        }
        catch (DbException fault) when (fault.SqlState == "3D000" || SqlServerAssembly.Loaded?.IsMissing(fault) == true)
        {
            return [.. db.Database.GetMigrations()];
        }
    }
}
