using TaskQueue.Engine.Files;

namespace TaskQueue.Engine.Encryption;

/// <summary>Encrypts file contents on write and decrypts them on read; sizes are those of the plain content.</summary>
internal sealed class EncryptedFileContents(IFileContents inner, DataCipher cipher) : IFileContents
{
    public Stream OpenWrite(string id)
    {
        var stream = inner.OpenWrite(id);
        return cipher.Active is { } key ? new SealedFileWriter(stream, id, key) : new PlainFileWriter(stream);
    }

    public Stream OpenRead(FileRecord file) =>
        new StoredFileReader(inner.OpenRead(new FileRecord { Id = file.Id, Bytes = FileHeader.StoredLength(file.Bytes) }), file, cipher);

    public Task DeleteAsync(string id) => inner.DeleteAsync(id);

    public IEnumerable<string> Before(DateTime time) => inner.Before(time);
}
