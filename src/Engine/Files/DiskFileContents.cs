namespace TaskQueue.Engine.Files;

/// <summary>File contents in a folder, named by their generated ids: letters, digits and dashes.</summary>
internal sealed class DiskFileContents : IFileContents
{
    private const int Buffer = 64 * 1024, ProbeBytes = 4096;

    private readonly string _folder;

    /// <summary>Throws if the folder is not writable.</summary>
    public DiskFileContents(string folder)
    {
        _folder = Directory.CreateDirectory(folder).FullName;
        using var probe = new FileStream(PathOf($".{Guid.NewGuid():N}"), new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            Options = FileOptions.DeleteOnClose,
        });
    }

    public Stream OpenWrite(string id) => new FlushedFile(PathOf(id));

    public Task<Stream> OpenReadAsync(FileRecord file, CancellationToken cancellationToken) => Task.FromResult<Stream>(
        new FileStream(PathOf(file.Id), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, Buffer, useAsync: true));

    public Task DeleteAsync(string id)
    {
        File.Delete(PathOf(id));
        return Task.CompletedTask;
    }

    public IAsyncEnumerable<string> BeforeAsync(DateTime time) =>
        new DirectoryInfo(_folder).EnumerateFiles("file-*").Where(f => f.LastWriteTimeUtc < time).Select(f => f.Name).ToAsyncEnumerable();

    /// <summary>A full disk takes an empty file, but no byte.</summary>
    public async Task ProbeAsync(CancellationToken cancellationToken)
    {
        await using var probe = new FileStream(PathOf($".{Guid.NewGuid():N}"), new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            Options = FileOptions.DeleteOnClose | FileOptions.Asynchronous,
        });
        await probe.WriteAsync(new byte[ProbeBytes], cancellationToken);
        probe.Flush(flushToDisk: true);
    }

    private string PathOf(string id) => Path.Combine(_folder, id);

    /// <summary>Accepted means durable: the bytes are flushed to disk before the file becomes visible.</summary>
    private sealed class FlushedFile(string path)
        : FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read | FileShare.Delete, Buffer, useAsync: true)
    {
        public override async ValueTask DisposeAsync()
        {
            try
            {
                if (CanWrite)
                {
                    await FlushAsync();
                    Flush(flushToDisk: true);
                }
            }
            finally
            {
                await base.DisposeAsync(); // a full disk must not keep the handle
            }
        }
    }
}
