using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Files;

namespace TaskQueue.Storage.Files;

/// <summary>Table <c>files</c>.</summary>
internal sealed class FileStore(IDbContextFactory<TaskDbContext> databases) : IFileStore
{
    public async Task<FileRecord?> FindAsync(string id, Access access, DateTime now, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await Visible(db, access, now).SingleOrDefaultAsync(f => f.Id == id, cancellationToken);
    }

    public async Task<FileRecord?> FindByRequestAsync(string requestKey, DateTime now, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await Visible(db, Access.All, now).SingleOrDefaultAsync(f => f.RequestKey == requestKey, cancellationToken);
    }

    public async Task<List<FileRecord>> ListAsync(FileFilter filter, FileRecord? after, int max, bool newestFirst,
        CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var files = Visible(db, filter.Access, filter.Now);
        if (filter.Purposes is { } purposes)
            files = files.Where(f => purposes.Contains(f.Purpose));
        if (after is { CreatedAt: var at, Id: var id })
        {
            files = newestFirst
                ? files.Where(f => f.CreatedAt < at || (f.CreatedAt == at && string.Compare(f.Id, id) < 0))
                : files.Where(f => f.CreatedAt > at || (f.CreatedAt == at && string.Compare(f.Id, id) > 0));
        }

        files = newestFirst ? files.OrderByDescending(f => f.CreatedAt).ThenByDescending(f => f.Id)
            : files.OrderBy(f => f.CreatedAt).ThenBy(f => f.Id);
        return await files.Take(max).ToListAsync(cancellationToken);
    }

    public async Task<bool> TryAddAsync(FileRecord file)
    {
        await using var db = await databases.CreateDbContextAsync();
        db.Files.Add(file);
        try
        {
            await db.SaveChangesAsync();
            return true;
        }
        catch (DbUpdateException) when (db.Files.AsNoTracking().Any(f => f.Id == file.Id))
        {
            return false;
        }
    }

    public async Task<bool> ShowAsync(FileRecord file)
    {
        await using var db = await databases.CreateDbContextAsync();
        if (file.RequestKey is { } key) // an expired file of the same request may not have been removed yet
            await db.Files.Where(f => f.RequestKey == key && f.ExpiresAt <= file.CreatedAt)
                .ExecuteUpdateAsync(f => f.SetProperty(x => x.RequestKey, (string?)null));
        try
        {
            return await db.Files.Where(f => f.Id == file.Id && !f.Ready).ExecuteUpdateAsync(
                f => f.SetProperty(x => x.Ready, true).SetProperty(x => x.Bytes, file.Bytes).SetProperty(x => x.Purpose, file.Purpose)
                    .SetProperty(x => x.ExpiresAt, file.ExpiresAt).SetProperty(x => x.RequestKey, file.RequestKey)) > 0;
        }
        catch (Exception fault) when (fault is DbException or DbUpdateException && file.RequestKey is { } taken
            && db.Files.AsNoTracking().Any(f => f.RequestKey == taken && f.Id != file.Id))
        {
            return false; // the same request was sent twice, and the other was faster
        }
    }

    public async Task HideAsync(string id)
    {
        await using var db = await databases.CreateDbContextAsync();
        // A request that is sent again after the deletion makes a new file.
        await db.Files.Where(f => f.Id == id)
            .ExecuteUpdateAsync(f => f.SetProperty(x => x.Ready, false).SetProperty(x => x.RequestKey, (string?)null));
    }

    public async Task DeleteAsync(string id)
    {
        await using var db = await databases.CreateDbContextAsync();
        await db.Files.Where(f => f.Id == id).ExecuteDeleteAsync();
    }

    public async Task<List<string>> ListIncompleteAsync(DateTime before)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.Files.Where(f => !f.Ready && f.CreatedAt < before).OrderBy(f => f.CreatedAt).Select(f => f.Id).Take(100)
            .ToListAsync();
    }

    public async Task<List<string>> ListExpiredAsync(DateTime now)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.Files.Where(f => f.Ready && f.ExpiresAt <= now).OrderBy(f => f.ExpiresAt).Select(f => f.Id).Take(100).ToListAsync();
    }

    public async Task<List<string>> FilterKnownAsync(IReadOnlyCollection<string> ids)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.Files.Where(f => ids.Contains(f.Id)).Select(f => f.Id).ToListAsync();
    }

    private static IQueryable<FileRecord> Visible(TaskDbContext db, Access access, DateTime now)
    {
        var files = db.Files.AsNoTracking().Where(f => f.Ready && (f.ExpiresAt == null || f.ExpiresAt > now));
        return access.SeesAllTenants ? files : access.InQueuesOnly ? files.Where(_ => false)
            : files.Where(f => f.Owner != null && f.Owner == access.Tenant);
    }
}
