using Microsoft.Extensions.Options;

namespace TaskQueue.Engine.Files;

/// <summary>Contents in a folder, named by the ids of their files, which are letters, digits and dashes.</summary>
internal sealed class DiskFileContents(IOptions<FileStoreOptions> options) : IFileContents
{
    private const int Buffer = 64 * 1024;

    public Stream OpenWrite(string id)
    {
        Directory.CreateDirectory(options.Value.Path);
        return new FlushedFile(PathOf(id));
    }

    public Stream OpenRead(FileRecord file) =>
        new FileStream(PathOf(file.Id), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, Buffer, useAsync: true);

    public Task DeleteAsync(string id)
    {
        if (Directory.Exists(options.Value.Path))
            File.Delete(PathOf(id));
        return Task.CompletedTask;
    }

    private string PathOf(string id) => Path.Combine(options.Value.Path, id);

    /// <summary>Accepted means durable: the bytes are on the disk before anybody hears of the file.</summary>
    private sealed class FlushedFile(string path) : FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read | FileShare.Delete, Buffer, useAsync: true)
    {
        public override async ValueTask DisposeAsync()
        {
            if (CanWrite)
            {
                await FlushAsync();
                Flush(flushToDisk: true);
            }

            await base.DisposeAsync();
        }
    }
}
