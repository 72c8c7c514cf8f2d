using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Quotas;

namespace TaskQueue.Engine.Files;

/// <summary>What can be done with files. A caller sees the files of its tenant; see <see cref="Access"/>.</summary>
public sealed class FileService(IFileStore store, IFileContents contents, FileQuota quota, TimeProvider time)
{
    /// <summary>An upload that is not finished after so long never will be.</summary>
    private static readonly TimeSpan Abandoned = TimeSpan.FromDays(1);

    private readonly FileIds _ids = new(time);

    /// <summary>Stores a stream as a file, with flat memory. Where this throws, nothing is left.</summary>
    /// <exception cref="FileTooLargeException">The stream has more than <paramref name="maxBytes"/>.</exception>
    /// <exception cref="QuotaExceededException">The owner would have more bytes of files than may be.</exception>
    public async Task<FileRecord> CreateAsync(string? owner, string purpose, string fileName, Stream content, long maxBytes,
        CancellationToken cancellationToken)
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
        return await OpenWriteAsync(owner, purpose, fileName, maxBytes, (file, reserved, needed) =>
            quota.GrowAsync(owner, file.Id, reserved, needed));
    }

    /// <summary>
    /// Begins a file of the server, which counts as its owner's but is not refused: nobody sees it until it is committed.
    /// </summary>
    public Task<FileWriter> OpenWriteAsync(string? owner, string purpose, string fileName) =>
        OpenWriteAsync(owner, purpose, fileName, long.MaxValue, reserve: null);

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
    public Task<FileRecord?> FindAsync(string id, Access access, CancellationToken cancellationToken) =>
        store.FindAsync(id, access, cancellationToken);

    /// <summary>The content of a file, which can be sought.</summary>
    public Stream OpenRead(FileRecord file) => contents.OpenRead(file);

    /// <summary>Files behind a place in the order of their times.</summary>
    /// <param name="access">Who asks.</param>
    /// <param name="purposes">Only of these; null is all.</param>
    /// <param name="after">Behind this one; null is from the start.</param>
    /// <param name="max">At most so many.</param>
    /// <param name="newestFirst">The order.</param>
    /// <param name="cancellationToken">Stops the read.</param>
    public Task<List<FileRecord>> ListAsync(Access access, IReadOnlyList<string>? purposes, FileRecord? after, int max, bool newestFirst,
        CancellationToken cancellationToken) =>
        store.ListAsync(access, purposes, after, max, newestFirst, cancellationToken);

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
        var ids = await store.ListIncompleteAsync(Micros.Now(time) - Abandoned);
        foreach (var id in ids)
            await DropAsync(id);
        return ids.Count;
    }

    /// <summary>Removes contents without a row, such as from before a backup of the database was restored.</summary>
    /// <param name="goOn">Called after each part of the work; what it throws ends the rest.</param>
    /// <returns>How many there were.</returns>
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
            throw new InvalidOperationException($"{file.Id} was given up: it took longer than {Abandoned.TotalHours:0} hours.");
        file.Ready = true;
    }

    /// <summary>The row is hidden first and goes last, so that what a crash leaves is swept.</summary>
    internal async Task DropAsync(string id)
    {
        await store.HideAsync(id);
        await contents.DeleteAsync(id);
        await store.DeleteAsync(id);
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

/// <summary>An upload is larger than allowed; nothing of it was kept.</summary>
/// <param name="maxBytes">The limit.</param>
public sealed class FileTooLargeException(long maxBytes) : Exception($"the file must have at most {maxBytes} bytes")
{
    /// <summary>The limit.</summary>
    public long MaxBytes { get; } = maxBytes;
}
