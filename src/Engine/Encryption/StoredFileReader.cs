using TaskQueue.Engine.Files;

namespace TaskQueue.Engine.Encryption;

/// <summary>Reads a content, encrypted or not, from any offset. Holds one frame in memory.</summary>
internal sealed class StoredFileReader(Stream inner, FileRecord file, DataCipher cipher) : AsyncStream
{
    private DataKey? _key;
    private byte[] _frame = [], _sealed = [];
    private int _frameLength, _headerLength;
    private long _number = -1;
    private bool _begun;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override long Length => file.Bytes;

    public override long Position { get; set; }

    public override long Seek(long offset, SeekOrigin origin) =>
        Position = offset + (origin switch { SeekOrigin.Begin => 0, SeekOrigin.Current => Position, _ => Length });

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (Position >= Length || buffer.Length == 0)
            return 0;
        if (!_begun)
            await BeginAsync(cancellationToken);
        var read = _key is null ? await ReadPlainAsync(buffer, cancellationToken) : await ReadSealedAsync(_key, buffer, cancellationToken);
        Position += read;
        return read;
    }

    public override async ValueTask DisposeAsync()
    {
        await inner.DisposeAsync();
        await base.DisposeAsync();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            inner.Dispose();
        base.Dispose(disposing);
    }

    private async Task BeginAsync(CancellationToken cancellationToken)
    {
        var header = new byte[FileHeader.Length];
        inner.Position = 0;
        var length = await inner.ReadAtLeastAsync(header, (int)Math.Min(header.Length, Length), throwOnEndOfStream: false,
            cancellationToken);
        if (FileHeader.IsThere(header.AsSpan(0, length)))
        {
            length += await inner.ReadAtLeastAsync(header.AsMemory(length), header.Length - length, throwOnEndOfStream: false,
                cancellationToken);
            _headerLength = FileHeader.Length;
            _key = FileHeader.KeyIdOf(header.AsSpan(0, length)) is { } id ? cipher.Get(id) : null;
        }

        _begun = true;
    }

    private ValueTask<int> ReadPlainAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (inner.Position != _headerLength + Position)
            inner.Position = _headerLength + Position;
        return inner.ReadAsync(buffer[..(int)Math.Min(buffer.Length, Length - Position)], cancellationToken);
    }

    private async ValueTask<int> ReadSealedAsync(DataKey key, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (Position / FileHeader.FrameBytes != _number)
            await LoadAsync(key, Position / FileHeader.FrameBytes, cancellationToken);
        var from = (int)(Position % FileHeader.FrameBytes);
        var part = Math.Min(buffer.Length, _frameLength - from);
        _frame.AsMemory(from, part).CopyTo(buffer);
        return part;
    }

    private async Task LoadAsync(DataKey key, long number, CancellationToken cancellationToken)
    {
        if (_frame.Length == 0)
            (_frame, _sealed) = (new byte[FileHeader.FrameBytes], new byte[FileHeader.SealedFrameBytes]);
        var begin = number * FileHeader.FrameBytes;
        var length = (int)Math.Min(FileHeader.FrameBytes, Length - begin);
        var stored = _sealed.AsMemory(0, length + DataKey.Overhead);
        var at = FileHeader.Length + (number * FileHeader.SealedFrameBytes);
        if (inner.Position != at)
            inner.Position = at;
        _number = -1;
        if (await inner.ReadAtLeastAsync(stored, stored.Length, throwOnEndOfStream: false, cancellationToken) < stored.Length
            || !key.TryOpen(stored.Span, _frame.AsSpan(0, length), FileHeader.PlaceOf(file.Id, number, begin + length == Length)))
            throw UnreadableDataException.Altered(key.Id);
        (_number, _frameLength) = (number, length);
    }
}
