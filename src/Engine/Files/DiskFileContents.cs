namespace TaskQueue.Engine.Files;

/// <summary>File contents in a folder, named by their generated ids: letters, digits and dashes.</summary>
internal sealed class DiskFileContents : IFileContents
{
    private const int Buffer = 64 * 1024;

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

    public Stream OpenRead(FileRecord file) =>
        new FileStream(PathOf(file.Id), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, Buffer, useAsync: true);

    public Task DeleteAsync(string id)
    {
        File.Delete(PathOf(id));
        return Task.CompletedTask;
    }

    public IEnumerable<string> Before(DateTime time) =>
        new DirectoryInfo(_folder).EnumerateFiles("file-*").Where(f => f.LastWriteTimeUtc < time).Select(f => f.Name);

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
