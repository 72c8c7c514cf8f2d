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
    public async Task<FileRecord> CommitAsync(string? purpose = null)
    {
        await Stream.DisposeAsync();
        (File.Bytes, File.Purpose) = (_content.Bytes, purpose ?? File.Purpose);
        await _fileService.ShowAsync(File);
        _committed = true;
        return File;
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (_committed)
            return;
        try
        {
            await Stream.DisposeAsync();
        }
        finally
        {
            await _fileService.DropAsync(File.Id);
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
            try
            {
                await inner.WriteAsync(buffer, cancellationToken);
            }
            catch (Exception fault) when (FileStoreException.IsOfDisk(fault))
            {
                throw new FileStoreException(fault);
            }

            Bytes += buffer.Length;
        }

        public override async ValueTask DisposeAsync()
        {
            try
            {
                await inner.DisposeAsync();
            }
            catch (Exception fault) when (FileStoreException.IsOfDisk(fault))
            {
                throw new FileStoreException(fault);
            }

            await base.DisposeAsync();
        }
    }
}
