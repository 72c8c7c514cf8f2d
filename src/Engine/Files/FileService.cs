using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Files;

/// <summary>What can be done with files. A caller sees the files of its tenant; see <see cref="Access"/>.</summary>
public sealed class FileService(IDbContextFactory<TaskDbContext> databases, IFileContents contents, FileQuota quota, TimeProvider time)
{
    /// <summary>An upload that is not finished after so long never will be.</summary>
    private static readonly TimeSpan Abandoned = TimeSpan.FromDays(1);

    private readonly FileIds _ids = new(time);

    /// <summary>Stores a stream as a file, with flat memory. Where this throws, nothing is left.</summary>
    /// <exception cref="FileTooLargeException">The stream has more than <paramref name="maxBytes"/>.</exception>
    /// <exception cref="QuotaExceededException">The owner would have more bytes of files than may be.</exception>
    public async Task<FileRecord> CreateAsync(string? owner, string purpose, string fileName, Stream content, long maxBytes, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(content);
        await using var writer = await OpenUploadAsync(owner, purpose, fileName, maxBytes);
        await content.CopyToAsync(writer.Stream, cancellationToken);
        return await writer.CommitAsync();
    }

    /// <summary>Checks whether a caller may upload a file of at least so many bytes.</summary>
    /// <exception cref="QuotaExceededException">It may not.</exception>
    public Task DemandRoomAsync(string? owner, long bytes) => quota.DemandAsync(owner, bytes);

    /// <summary>Begins a file of a caller, whose quota is checked as the file grows.</summary>
    /// <exception cref="QuotaExceededException">The quota is exhausted; writing throws it too, and nothing is left then.</exception>
    public async Task<FileWriter> OpenUploadAsync(string? owner, string purpose, string fileName, long maxBytes)
    {
        await quota.DemandAsync(owner, 1);
        return await OpenWriteAsync(owner, purpose, fileName, maxBytes, (file, reserved, needed) => quota.GrowAsync(owner, file.Id, reserved, needed));
    }

    /// <summary>Begins a file of the server, which counts as its owner's but is not refused: nobody sees it until it is committed.</summary>
    public Task<FileWriter> OpenWriteAsync(string? owner, string purpose, string fileName) => OpenWriteAsync(owner, purpose, fileName, long.MaxValue, reserve: null);

    private async Task<FileWriter> OpenWriteAsync(string? owner, string purpose, string fileName, long maxBytes, FileReserve? reserve)
    {
        var file = await AddAsync(owner, purpose, fileName);
        try
        {
            return new FileWriter(this, file, contents.OpenWrite(file.Id), maxBytes, reserve);
        }
        catch
        {
            await DropAsync(file.Id);
            throw;
        }
    }

    /// <summary>A file, or null.</summary>
    public async Task<FileRecord?> FindAsync(string id, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await Visible(db, access).SingleOrDefaultAsync(f => f.Id == id, cancellationToken);
    }

    /// <summary>The content of a file, which can be sought.</summary>
    public Stream OpenRead(FileRecord file) => contents.OpenRead(file);

    /// <summary>Files behind a place in the order of their times.</summary>
    /// <param name="access">Who asks.</param>
    /// <param name="purposes">Only of these; null is all.</param>
    /// <param name="after">Behind this one; null is from the start.</param>
    /// <param name="max">At most so many.</param>
    /// <param name="newestFirst">The order.</param>
    /// <param name="cancellationToken">Stops the read.</param>
    public async Task<List<FileRecord>> ListAsync(Access access, IReadOnlyList<string>? purposes, FileRecord? after, int max, bool newestFirst, CancellationToken cancellationToken)
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

        files = newestFirst ? files.OrderByDescending(f => f.CreatedAt).ThenByDescending(f => f.Id) : files.OrderBy(f => f.CreatedAt).ThenBy(f => f.Id);
        return await files.Take(max).ToListAsync(cancellationToken);
    }

    /// <summary>Deletes a file; false where there is none.</summary>
    public async Task<bool> DeleteAsync(string id, Access access)
    {
        if (await FindAsync(id, access, CancellationToken.None) is null)
            return false;
        await DropAsync(id);
        return true;
    }

    /// <summary>Removes what is left of uploads that were broken off, such as by a crash.</summary>
    /// <returns>How many there were.</returns>
    public async Task<int> RemoveAbandonedAsync()
    {
        await using var db = await databases.CreateDbContextAsync();
        var before = Micros.Now(time) - Abandoned;
        var ids = await db.Files.Where(f => !f.Ready && f.CreatedAt < before).OrderBy(f => f.CreatedAt).Select(f => f.Id).Take(100).ToListAsync();
        foreach (var id in ids)
            await DropAsync(id);
        return ids.Count;
    }

    /// <summary>Removes contents without a row, such as from before a backup of the database was restored.</summary>
    /// <param name="goOn">Called after each part of the work; what it throws ends the rest.</param>
    public async Task RemoveStraysAsync(Action goOn)
    {
        ArgumentNullException.ThrowIfNull(goOn);
        await using var db = await databases.CreateDbContextAsync();
        foreach (var ids in contents.Before(Micros.Now(time) - Abandoned).Chunk(500))
        {
            var known = await db.Files.Where(f => ids.Contains(f.Id)).Select(f => f.Id).ToListAsync();
            foreach (var id in ids.Except(known))
                await contents.DeleteAsync(id);
            goOn();
        }
    }

    internal async Task ShowAsync(FileRecord file)
    {
        await using var db = await databases.CreateDbContextAsync();
        var shown = await db.Files.Where(f => f.Id == file.Id && !f.Ready).ExecuteUpdateAsync(
            f => f.SetProperty(x => x.Ready, true).SetProperty(x => x.Bytes, file.Bytes).SetProperty(x => x.Purpose, file.Purpose));
        if (shown == 0)
            throw new InvalidOperationException($"{file.Id} was given up: it took longer than {Abandoned.TotalHours:0} hours.");
        file.Ready = true;
    }

    /// <summary>The row is hidden first and goes last, so that what a crash leaves is swept.</summary>
    internal async Task DropAsync(string id)
    {
        await using var db = await databases.CreateDbContextAsync();
        await db.Files.Where(f => f.Id == id).ExecuteUpdateAsync(f => f.SetProperty(x => x.Ready, false));
        await contents.DeleteAsync(id);
        await db.Files.Where(f => f.Id == id).ExecuteDeleteAsync();
    }

    private async Task<FileRecord> AddAsync(string? owner, string purpose, string fileName)
    {
        while (true)
        {
            var file = new FileRecord { Id = _ids.New(owner), Owner = owner, Purpose = purpose, FileName = fileName, CreatedAt = Micros.Now(time) };
            await using var db = await databases.CreateDbContextAsync();
            db.Files.Add(file);
            try
            {
                await db.SaveChangesAsync();
                return file;
            }
            catch (DbUpdateException) when (db.Files.AsNoTracking().Any(f => f.Id == file.Id))
            {
                _ids.DrawInstance();
            }
        }
    }

    private static IQueryable<FileRecord> Visible(TaskDbContext db, Access access)
    {
        var files = db.Files.AsNoTracking().Where(f => f.Ready);
        return access.SeesAllTenants ? files : access.InQueuesOnly ? files.Where(_ => false) : files.Where(f => f.Owner != null && f.Owner == access.Tenant);
    }
}

/// <summary>An upload is larger than allowed; nothing of it was kept.</summary>
/// <param name="maxBytes">The limit.</param>
public sealed class FileTooLargeException(long maxBytes) : Exception($"the file must have at most {maxBytes} bytes")
{
    /// <summary>The limit.</summary>
    public long MaxBytes { get; } = maxBytes;
}
