using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Files;

/// <summary>Creates, reads and deletes files. A caller sees the files of its tenant; see <see cref="Access"/>.</summary>
public sealed class FileService(IFileStore store, IFileContents contents, FileQuota quota, DependencyHealth dependencies, TimeProvider time)
{
    /// <summary>Age after which an incomplete upload is abandoned.</summary>
    private static readonly TimeSpan Abandoned = TimeSpan.FromDays(1);

    /// <summary>How long a caller waits for the removal of a content, which a maintenance job can do as well.</summary>
    private static readonly TimeSpan RemovalPatience = TimeSpan.FromSeconds(5);

    /// <summary>Faults, other than refusals, after which the storage is away: each may have taken minutes.</summary>
    private const int MaxFaults = 10;

    private readonly FileIds _ids = new(time);

    private readonly CheckedFileContents _contents = new(contents, dependencies.Files);

    /// <summary>Memory that a file may need while it is written, beside the buffers of its caller: a buffer grows by doubling.</summary>
    /// <param name="bytes">Most bytes of the file; null: not known.</param>
    public long WriteMemory(long? bytes) =>
        bytes is { } most && most < _contents.WriteBufferBytes / 2 ? 2 * most : _contents.WriteBufferBytes;

    /// <summary>Stores a stream as a file, in constant memory. If this throws, nothing is stored.</summary>
    /// <exception cref="FileTooLargeException">The stream is longer than <paramref name="maxBytes"/>.</exception>
    /// <exception cref="FileStoreException">The storage is full or fails.</exception>
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
            return new FileWriter(this, file, _contents.OpenWrite(file.Id), maxBytes, reserve);
        }
        catch
        {
            await TryDropAsync(file.Id);
            throw;
        }
    }

    /// <summary>Finds a file, or returns null.</summary>
    public Task<FileRecord?> FindAsync(string id, Access access, CancellationToken cancellationToken) =>
        store.FindAsync(id, access, Micros.Now(time), cancellationToken);

    /// <summary>The file that a request created, by <see cref="FileRecord.RequestKey"/>; null if there is none.</summary>
    public Task<FileRecord?> FindByRequestAsync(string requestKey, CancellationToken cancellationToken) =>
        store.FindByRequestAsync(requestKey, Micros.Now(time), cancellationToken);

    /// <summary>Opens the content of a file as a seekable stream.</summary>
    /// <exception cref="FileNotFoundException">It was deleted in the meantime.</exception>
    /// <exception cref="FileStoreException">The storage fails.</exception>
    public Task<Stream> OpenReadAsync(FileRecord file, CancellationToken cancellationToken) =>
        _contents.OpenReadAsync(file, cancellationToken);

    /// <summary>Lists files by creation time.</summary>
    /// <param name="access">The caller's access.</param>
    /// <param name="purposes">Only files with these purposes; null is all.</param>
    /// <param name="after">Only files after this one; null starts from the beginning.</param>
    /// <param name="max">Maximum number of files.</param>
    /// <param name="newestFirst">Sort direction.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    public Task<List<FileRecord>> ListAsync(Access access, IReadOnlyList<string>? purposes, FileRecord? after, int max, bool newestFirst,
        CancellationToken cancellationToken) =>
        store.ListAsync(new FileFilter(access, purposes, Micros.Now(time)), after, max, newestFirst, cancellationToken);

    /// <summary>Deletes a file; false if it does not exist. If its content cannot be removed now, it is after a day.</summary>
    public async Task<bool> DeleteAsync(string id, Access access)
    {
        if (await FindAsync(id, access, CancellationToken.None) is null)
            return false;
        await TryDropAsync(id);
        return true;
    }

    /// <summary>Removes some incomplete uploads, such as those interrupted by a crash.</summary>
    /// <param name="failed">Called with the fault of each that cannot be removed.</param>
    /// <returns>Number of uploads removed; 0 ends it.</returns>
    public async Task<int> RemoveAbandonedAsync(Action<FileStoreException> failed) =>
        await RemoveEachAsync(await store.ListIncompleteAsync(Micros.Now(time) - Abandoned), DropAsync, failed);

    /// <summary>Removes some files whose time is over.</summary>
    /// <param name="failed">Called with the fault of each that cannot be removed.</param>
    /// <returns>Number of files removed; 0 ends it.</returns>
    public async Task<int> RemoveExpiredAsync(Action<FileStoreException> failed) =>
        await RemoveEachAsync(await store.ListExpiredAsync(Micros.Now(time)), DropAsync, failed);

    /// <summary>
    /// Removes contents without a row, such as those written before a database backup was restored, and what is left of unfinished ones.
    /// </summary>
    /// <param name="goOn">Called after each step; an exception from it ends the rest.</param>
    /// <param name="failed">Called with the fault of each that cannot be removed.</param>
    /// <returns>Number of contents removed.</returns>
    public async Task<int> RemoveStraysAsync(Action goOn, Action<FileStoreException> failed)
    {
        ArgumentNullException.ThrowIfNull(goOn);
        var (removed, before) = (0, Micros.Now(time) - Abandoned);
        await foreach (var ids in _contents.BeforeAsync(before).Chunk(500))
        {
            removed += await RemoveEachAsync(ids.Except(await store.FilterKnownAsync(ids)), _contents.DeleteAsync, failed);
            goOn();
        }

        return removed + await _contents.RemoveUnfinishedAsync(before);
    }

    /// <returns>The file, which is visible now; or the file that the same request, sent twice, completed meanwhile.</returns>
    internal async Task<FileRecord> ShowAsync(FileRecord file)
    {
        if (await store.ShowAsync(file))
        {
            file.Ready = true;
            return file;
        }

        var other = file.RequestKey is { } key ? await FindByRequestAsync(key, CancellationToken.None) : null;
        return other is not null && other.Id != file.Id ? other
            : throw new InvalidOperationException($"{file.Id} was abandoned: the upload took longer than {Abandoned.TotalHours:0} hours.");
    }

    /// <summary>The row is hidden first and deleted last, so that the remains of a crash are swept.</summary>
    internal async Task DropAsync(string id)
    {
        await store.HideAsync(id);
        await RemoveAsync(id);
    }

    /// <summary>
    /// The same for a caller who must not wait for the storage, nor fail because of it: nobody sees the file any more, and what is left is
    /// swept.
    /// </summary>
    internal async Task TryDropAsync(string id)
    {
        await store.HideAsync(id);
        try
        {
            await RemoveAsync(id).WaitAsync(RemovalPatience, TimeProvider.System); // real time, as the storage's
        }
        catch (Exception fault) when (fault is FileStoreException or TimeoutException)
        {
            // The outage is reported.
        }
    }

    private async Task RemoveAsync(string id)
    {
        await _contents.DeleteAsync(id);
        await store.DeleteAsync(id);
    }

    /// <summary>Removes each, whatever happens to another.</summary>
    private static async Task<int> RemoveEachAsync(IEnumerable<string> ids, Func<string, Task> remove, Action<FileStoreException> failed)
    {
        var (removed, faults) = (0, 0);
        foreach (var id in ids)
        {
            try
            {
                await remove(id);
                removed++;
            }
            catch (FileStoreException fault)
            {
                failed(fault);
                if (fault.InnerException is not FileStoreRefusedException && ++faults == MaxFaults)
                    break;
            }
        }

        return removed;
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
