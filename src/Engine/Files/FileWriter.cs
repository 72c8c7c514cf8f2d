namespace TaskQueue.Engine.Files;

/// <summary>Reserves bytes for a growing file.</summary>
/// <param name="file">The file.</param>
/// <param name="reserved">Bytes reserved so far.</param>
/// <param name="needed">Bytes required.</param>
/// <returns>Bytes reserved now.</returns>
internal delegate Task<long> FileReserve(FileRecord file, long reserved, long needed);

/// <summary>A file being written. Disposing it before the commit deletes it.</summary>
public sealed class FileWriter : IAsyncDisposable
{
    private readonly FileService _fileService;
    private readonly CountedStream _content;
    private bool _committed;

    internal FileWriter(FileService fileService, FileRecord file, Stream content, long maxBytes, FileReserve? reserve)
    {
        _fileService = fileService;
        File = file;
        Stream = _content = new CountedStream(content, maxBytes, reserve is null ? null
            : (reserved, needed) => reserve(file, reserved, needed));
    }

    /// <summary>The stream to write to, asynchronously; flush any wrapper before the commit.</summary>
    public Stream Stream { get; }

    internal FileRecord File { get; }

    /// <summary>Stores the last bytes and makes the file visible.</summary>
    /// <param name="purpose">The purpose, if it was not known at the start.</param>
    /// <param name="keep">How long the file is kept, from its creation; null: until it is deleted.</param>
    /// <param name="requestKey">See <see cref="FileRecord.RequestKey"/>.</param>
    /// <returns>The file; if the same request made another meanwhile, that one, and this is not stored.</returns>
    public async Task<FileRecord> CommitAsync(string? purpose = null, TimeSpan? keep = null, string? requestKey = null)
    {
        await Stream.DisposeAsync();
        (File.Bytes, File.Purpose) = (_content.Bytes, purpose ?? File.Purpose);
        (File.ExpiresAt, File.RequestKey) = (File.CreatedAt + keep, requestKey);
        var shown = await _fileService.ShowAsync(File);
        _committed = shown == File;
        return shown;
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (_committed)
            return;
        _content.Abandon();
        try
        {
            await Stream.DisposeAsync();
        }
        catch (FileStoreException)
        {
            // The outage is reported. Why the file is given up is what the caller must learn.
        }
        finally
        {
            await _fileService.TryDropAsync(File.Id);
        }
    }

    private sealed class CountedStream(Stream inner, long maxBytes, Func<long, long, Task<long>>? reserve) : AsyncStream
    {
        private long _reserved;

        public long Bytes { get; private set; }

        public override bool CanWrite => inner.CanWrite;

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (buffer.Length > maxBytes - Bytes)
                throw new FileTooLargeException(maxBytes);
            if (reserve is not null && Bytes + buffer.Length > _reserved)
                _reserved = await reserve(_reserved, Bytes + buffer.Length);
            await inner.WriteAsync(buffer, cancellationToken);
            Bytes += buffer.Length;
        }

        public override void Abandon() => (inner as AsyncStream)?.Abandon();

        public override async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            await base.DisposeAsync();
        }
    }
}
