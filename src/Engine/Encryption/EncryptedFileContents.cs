using TaskQueue.Engine.Files;

namespace TaskQueue.Engine.Encryption;

/// <summary>Encrypts file contents on write and decrypts them on read; sizes are those of the plain content.</summary>
internal sealed class EncryptedFileContents(IFileContents inner, DataCipher cipher) : IFileContents
{
    public long WriteBufferBytes => inner.WriteBufferBytes;

    public Stream OpenWrite(string id)
    {
        var stream = inner.OpenWrite(id);
        return cipher.Active is { } key ? new SealedFileWriter(stream, id, key) : new PlainFileWriter(stream);
    }

    public async Task<Stream> OpenReadAsync(FileRecord file, CancellationToken cancellationToken)
    {
        var stored = new FileRecord { Id = file.Id, Bytes = FileHeader.StoredLength(file.Bytes) };
        return new StoredFileReader(await inner.OpenReadAsync(stored, cancellationToken), file, cipher);
    }

    public Task DeleteAsync(string id) => inner.DeleteAsync(id);

    public IAsyncEnumerable<string> BeforeAsync(DateTime time) => inner.BeforeAsync(time);

    public Task<int> RemoveUnfinishedAsync(DateTime time) => inner.RemoveUnfinishedAsync(time);

    public Task ProbeAsync(CancellationToken cancellationToken) => inner.ProbeAsync(cancellationToken);
}
