namespace TaskQueue.Engine.Files;

/// <summary>
/// Storage of file contents. The row of a file is written before its content and deleted after it. A storage that fails throws an
/// <see cref="IOException"/> or an <see cref="UnauthorizedAccessException"/>; callers get a <see cref="FileStoreException"/>.
/// </summary>
public interface IFileContents
{
    /// <summary>Memory that a content may need while it is written, beside the buffers of its caller.</summary>
    long WriteBufferBytes => 0;

    /// <summary>Opens a stream to write the content of a new file; disposing it stores everything.</summary>
    Stream OpenWrite(string id);

    /// <summary>Opens the content of a complete file as a seekable stream.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    Task<Stream> OpenReadAsync(FileRecord file, CancellationToken cancellationToken);

    /// <summary>Removes the content of a file, if any.</summary>
    Task DeleteAsync(string id);

    /// <summary>Ids of contents written before a time, whose rows may be missing.</summary>
    IAsyncEnumerable<string> BeforeAsync(DateTime time);

    /// <summary>Removes what is left of contents whose writing began before a time and never ended.</summary>
    /// <returns>Number of contents removed.</returns>
    Task<int> RemoveUnfinishedAsync(DateTime time) => Task.FromResult(0);

    /// <summary>Writes, reads and removes a content, to show that the storage works.</summary>
    /// <exception cref="FileStoreRefusedException">It never will with these settings.</exception>
    Task ProbeAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
