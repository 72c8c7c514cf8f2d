using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Files;

/// <summary>
/// Turns the faults of any storage of contents into <see cref="FileStoreException"/>, which tells them from those of the database, of
/// clients and of files that are gone, and reports them as one outage.
/// </summary>
internal sealed class CheckedFileContents(IFileContents inner, Outage outage) : IFileContents
{
    public long WriteBufferBytes => inner.WriteBufferBytes;

    public Stream OpenWrite(string id)
    {
        try
        {
            return new CheckedStream(inner.OpenWrite(id), this);
        }
        catch (Exception fault) when (IsOfStorage(fault))
        {
            throw Failed(fault, isWrite: true);
        }
    }

    public async Task<Stream> OpenReadAsync(FileRecord file, CancellationToken cancellationToken)
    {
        try
        {
            return new CheckedStream(await inner.OpenReadAsync(file, cancellationToken), this);
        }
        catch (DirectoryNotFoundException gone)
        {
            throw new FileNotFoundException(gone.Message, gone); // with the folder its files are gone
        }
        catch (Exception fault) when (IsOfStorage(fault))
        {
            throw Failed(fault, isWrite: false);
        }
    }

    public Task DeleteAsync(string id) => RunAsync(async () =>
    {
        await inner.DeleteAsync(id);
        return true;
    }, isWrite: false); // a full disk deletes

    public async IAsyncEnumerable<string> BeforeAsync(DateTime time)
    {
        await using var ids = inner.BeforeAsync(time).GetAsyncEnumerator();
        while (await RunAsync(async () => await ids.MoveNextAsync(), isWrite: false))
            yield return ids.Current;
    }

    public Task<int> RemoveUnfinishedAsync(DateTime time) => RunAsync(() => inner.RemoveUnfinishedAsync(time), isWrite: false);

    public Task ProbeAsync(CancellationToken cancellationToken) => RunAsync(async () =>
    {
        await inner.ProbeAsync(cancellationToken);
        return true;
    }, isWrite: true);

    private async Task<T> RunAsync<T>(Func<Task<T>> use, bool isWrite)
    {
        try
        {
            var result = await use();
            outage.ReportSuccess(isWrite);
            return result;
        }
        catch (Exception fault) when (IsOfStorage(fault))
        {
            throw Failed(fault, isWrite);
        }
    }

    /// <summary>Whether an exception comes from the storage: not from the database, and not because one file is missing.</summary>
    private static bool IsOfStorage(Exception fault) => fault is UnauthorizedAccessException or (IOException and not FileNotFoundException);

    private FileStoreException Failed(Exception fault, bool isWrite)
    {
        outage.ReportFailure(fault.Message, isRefusal: isWrite);
        return new FileStoreException(fault);
    }

    private sealed class CheckedStream(Stream inner, CheckedFileContents contents) : AsyncStream
    {
        private bool _isWritten = inner.CanWrite;

        public override bool CanRead => inner.CanRead;

        public override bool CanSeek => inner.CanSeek;

        public override bool CanWrite => inner.CanWrite;

        public override long Length => inner.Length;

        public override long Position { get => inner.Position; set => inner.Position = value; }

        public override long Seek(long offset, SeekOrigin origin) => inner.Seek(offset, origin);

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            try
            {
                var read = await inner.ReadAsync(buffer, cancellationToken);
                contents.Worked(isWrite: false);
                return read;
            }
            catch (Exception fault) when (IsOfStorage(fault))
            {
                throw contents.Failed(fault, isWrite: false);
            }
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            try
            {
                await inner.WriteAsync(buffer, cancellationToken);
            }
            catch (Exception fault) when (IsOfStorage(fault))
            {
                throw contents.Failed(fault, isWrite: true);
            }
        }

        public override void Abandon()
        {
            _isWritten = false;
            (inner as AsyncStream)?.Abandon();
        }

        public override async ValueTask DisposeAsync()
        {
            try
            {
                await inner.DisposeAsync();
                if (_isWritten)
                    contents.Worked(isWrite: true);
            }
            catch (Exception fault) when (IsOfStorage(fault))
            {
                throw contents.Failed(fault, isWrite: true);
            }

            await base.DisposeAsync();
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }
    }

    private void Worked(bool isWrite) => outage.ReportSuccess(isWrite);
}
