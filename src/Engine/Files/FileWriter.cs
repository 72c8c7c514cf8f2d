namespace TaskQueue.Engine.Files;

/// <summary>A file that is being written. Disposed before it is closed, it is gone.</summary>
public sealed class FileWriter : IAsyncDisposable
{
    private readonly FileVerbs _verbs;
    private readonly CountedStream _content;
    private bool _closed;

    internal FileWriter(FileVerbs verbs, FileRecord file, Stream content)
    {
        _verbs = verbs;
        File = file;
        Stream = _content = new CountedStream(content);
    }

    /// <summary>Where to write; flush what you put around it before the commit.</summary>
    public Stream Stream { get; }

    internal FileRecord File { get; }

    /// <summary>Stores the last bytes and shows the file.</summary>
    public async Task<FileRecord> CommitAsync() => await _verbs.ShowAsync((await CloseAsync()).Id, File.Purpose);

    /// <summary>Stores the last bytes; nobody sees the file yet.</summary>
    internal async Task<FileRecord> CloseAsync()
    {
        await Stream.DisposeAsync();
        await _verbs.MeasuredAsync(File, _content.Bytes);
        _closed = true;
        return File;
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (_closed)
            return;
        await Stream.DisposeAsync();
        await _verbs.DropAsync(File.Id);
    }

    private sealed class CountedStream(Stream inner) : AsyncStream
    {
        public long Bytes { get; private set; }

        public override bool CanWrite => inner.CanWrite;

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await inner.WriteAsync(buffer, cancellationToken);
            Bytes += buffer.Length;
        }

        public override async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            await base.DisposeAsync();
        }
    }
}
