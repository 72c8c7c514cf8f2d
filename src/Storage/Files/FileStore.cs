using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Files;

namespace TaskQueue.Storage.Files;

/// <summary>Table <c>files</c>.</summary>
internal sealed class FileStore(IDbContextFactory<TaskDbContext> databases) : IFileStore
{
    public async Task<FileRecord?> FindAsync(string id, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await Visible(db, access).SingleOrDefaultAsync(f => f.Id == id, cancellationToken);
    }

    public async Task<List<FileRecord>> ListAsync(Access access, IReadOnlyList<string>? purposes, FileRecord? after, int max,
        bool newestFirst, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var files = Visible(db, access);
        if (purposes is not null)
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
        return await db.Files.Where(f => f.Id == file.Id && !f.Ready).ExecuteUpdateAsync(
            f => f.SetProperty(x => x.Ready, true).SetProperty(x => x.Bytes, file.Bytes).SetProperty(x => x.Purpose, file.Purpose)) > 0;
    }

    public async Task HideAsync(string id)
    {
        await using var db = await databases.CreateDbContextAsync();
        await db.Files.Where(f => f.Id == id).ExecuteUpdateAsync(f => f.SetProperty(x => x.Ready, false));
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

    public async Task<List<string>> FilterKnownAsync(IReadOnlyCollection<string> ids)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.Files.Where(f => ids.Contains(f.Id)).Select(f => f.Id).ToListAsync();
    }

    private static IQueryable<FileRecord> Visible(TaskDbContext db, Access access)
    {
        var files = db.Files.AsNoTracking().Where(f => f.Ready);
        return access.SeesAllTenants ? files : access.InQueuesOnly ? files.Where(_ => false)
            : files.Where(f => f.Owner != null && f.Owner == access.Tenant);
    }
}
