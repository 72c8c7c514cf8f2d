using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Quotas;

namespace TaskQueue.Engine.Files;

/// <summary>Creates, reads and deletes files. A caller sees the files of its tenant; see <see cref="Access"/>.</summary>
public sealed class FileService(IFileStore store, IFileContents contents, FileQuota quota, TimeProvider time)
{
    /// <summary>Age after which an incomplete upload is abandoned.</summary>
    private static readonly TimeSpan Abandoned = TimeSpan.FromDays(1);

    private readonly FileIds _ids = new(time);

    /// <summary>Stores a stream as a file, in constant memory. If this throws, nothing is stored.</summary>
    /// <exception cref="FileTooLargeException">The stream is longer than <paramref name="maxBytes"/>.</exception>
    /// <exception cref="FileStoreException">The disk is full or fails.</exception>
    /// <exception cref="QuotaExceededException">The owner's quota for file bytes is exhausted.</exception>
    public async Task<FileRecord> CreateAsync(string? owner, string purpose, string fileName, Stream content, long maxBytes,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(content);
        await using var writer = await OpenUploadAsync(owner, purpose, fileName, maxBytes);
        await content.CopyToAsync(writer.Stream, cancellationToken);
        return await writer.CommitAsync();
    }

    /// <summary>Checks whether a caller may upload a file of at least <paramref name="bytes"/> bytes.</summary>
    /// <exception cref="QuotaExceededException">The quota does not allow it.</exception>
    public Task DemandRoomAsync(string? owner, long bytes) => quota.DemandAsync(owner, bytes);

    /// <summary>Begins a file of a caller, whose quota is checked as the file grows.</summary>
    /// <exception cref="QuotaExceededException">The quota is exhausted; writing may throw it too, and then nothing is stored.</exception>
    public async Task<FileWriter> OpenUploadAsync(string? owner, string purpose, string fileName, long maxBytes)
    {
        await quota.DemandAsync(owner, 1);
        return await OpenWriteAsync(owner, purpose, fileName, maxBytes, (file, reserved, needed) =>
            quota.GrowAsync(owner, file.Id, reserved, needed));
    }

    /// <summary>
    /// Begins a file written by the server. It counts towards its owner's quota but is never refused; it is invisible until committed.
    /// </summary>
    public Task<FileWriter> OpenWriteAsync(string? owner, string purpose, string fileName) =>
        OpenWriteAsync(owner, purpose, fileName, long.MaxValue, reserve: null);

    private async Task<FileWriter> OpenWriteAsync(string? owner, string purpose, string fileName, long maxBytes, FileReserve? reserve)
    {
        var file = await AddAsync(owner, purpose, fileName);
        try
        {
            return new FileWriter(this, file, OnDisk(() => contents.OpenWrite(file.Id)), maxBytes, reserve);
        }
        catch
        {
            await DropAsync(file.Id);
            throw;
        }
    }

    /// <summary>Finds a file, or returns null.</summary>
    public Task<FileRecord?> FindAsync(string id, Access access, CancellationToken cancellationToken) =>
        store.FindAsync(id, access, cancellationToken);

    /// <summary>Opens the content of a file as a seekable stream.</summary>
    /// <exception cref="FileNotFoundException">It was deleted in the meantime.</exception>
    /// <exception cref="FileStoreException">The disk fails.</exception>
    public Stream OpenRead(FileRecord file)
    {
        try
        {
            return contents.OpenRead(file);
        }
        catch (Exception fault) when (fault is not DirectoryNotFoundException && FileStoreException.IsOfDisk(fault))
        {
            throw new FileStoreException(fault);
        }
    }

    /// <summary>Lists files by creation time.</summary>
    /// <param name="access">The caller's access.</param>
    /// <param name="purposes">Only files with these purposes; null is all.</param>
    /// <param name="after">Only files after this one; null starts from the beginning.</param>
    /// <param name="max">Maximum number of files.</param>
    /// <param name="newestFirst">Sort direction.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    public Task<List<FileRecord>> ListAsync(Access access, IReadOnlyList<string>? purposes, FileRecord? after, int max, bool newestFirst,
        CancellationToken cancellationToken) =>
        store.ListAsync(access, purposes, after, max, newestFirst, cancellationToken);

    /// <summary>Deletes a file; false if it does not exist.</summary>
    public async Task<bool> DeleteAsync(string id, Access access)
    {
        if (await FindAsync(id, access, CancellationToken.None) is null)
            return false;
        await DropAsync(id);
        return true;
    }

    /// <summary>Removes incomplete uploads, such as those interrupted by a crash.</summary>
    /// <returns>Number of uploads removed.</returns>
    public async Task<int> RemoveAbandonedAsync()
    {
        var ids = await store.ListIncompleteAsync(Micros.Now(time) - Abandoned);
        foreach (var id in ids)
            await DropAsync(id);
        return ids.Count;
    }

    /// <summary>Removes contents without a row, such as those written before a database backup was restored.</summary>
    /// <param name="goOn">Called after each step; an exception from it ends the rest.</param>
    /// <returns>Number of contents removed.</returns>
    public async Task<int> RemoveStraysAsync(Action goOn)
    {
        ArgumentNullException.ThrowIfNull(goOn);
        var removed = 0;
        foreach (var ids in contents.Before(Micros.Now(time) - Abandoned).Chunk(500))
        {
            foreach (var id in ids.Except(await store.FilterKnownAsync(ids)))
            {
                await contents.DeleteAsync(id);
                removed++;
            }

            goOn();
        }

        return removed;
    }

    internal async Task ShowAsync(FileRecord file)
    {
        if (!await store.ShowAsync(file))
            throw new InvalidOperationException($"{file.Id} was abandoned: the upload took longer than {Abandoned.TotalHours:0} hours.");
        file.Ready = true;
    }

    /// <summary>The row is hidden first and deleted last, so that the remains of a crash are swept.</summary>
    internal async Task DropAsync(string id)
    {
        await store.HideAsync(id);
        await OnDisk(() => contents.DeleteAsync(id));
        await store.DeleteAsync(id);
    }

    /// <summary>Tells faults of the disk from those of the database and of clients.</summary>
    private static T OnDisk<T>(Func<T> use)
    {
        try
        {
            return use();
        }
        catch (Exception fault) when (FileStoreException.IsOfDisk(fault))
        {
            throw new FileStoreException(fault);
        }
    }

    private async Task<FileRecord> AddAsync(string? owner, string purpose, string fileName)
    {
        while (true)
        {
            var file = new FileRecord { Id = _ids.New(owner), Owner = owner, Purpose = purpose, FileName = fileName,
                CreatedAt = Micros.Now(time) };
            if (await store.TryAddAsync(file))
                return file;
            _ids.DrawInstance();
        }
    }
}

/// <summary>An upload exceeds the size limit; nothing of it was stored.</summary>
/// <param name="maxBytes">The limit in bytes.</param>
public sealed class FileTooLargeException(long maxBytes) : Exception($"the file must have at most {maxBytes} bytes")
{
    /// <summary>The limit in bytes.</summary>
    public long MaxBytes { get; } = maxBytes;
}
