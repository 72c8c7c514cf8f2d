using TaskQueue.Engine.Files;

namespace TaskQueue.Engine.Encryption;

/// <summary>
/// Encrypts a content frame by frame. A full frame is held back until more data follows, because the last frame is marked.
/// </summary>
internal sealed class SealedFileWriter(Stream inner, string fileId, DataKey key) : AsyncStream
{
    private readonly byte[] _frame = new byte[FileHeader.FrameBytes];
    private readonly byte[] _sealed = new byte[FileHeader.SealedFrameBytes];
    private int _filled;
    private long _number;
    private bool _begun, _abandoned, _disposed;

    public override bool CanWrite => !_disposed;

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (buffer.Length > 0)
        {
            if (_filled == FileHeader.FrameBytes)
                await StoreAsync(isLast: false, cancellationToken);
            var part = Math.Min(buffer.Length, FileHeader.FrameBytes - _filled);
            buffer[..part].CopyTo(_frame.AsMemory(_filled));
            _filled += part;
            buffer = buffer[part..];
        }
    }

    public override void Abandon()
    {
        _abandoned = true;
        (inner as AsyncStream)?.Abandon();
    }

    public override async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        try
        {
            if (_filled > 0 && !_abandoned)
                await StoreAsync(isLast: true, CancellationToken.None);
        }
        finally
        {
            await inner.DisposeAsync();
            await base.DisposeAsync();
        }
    }

    private async Task StoreAsync(bool isLast, CancellationToken cancellationToken)
    {
        if (!_begun)
            await inner.WriteAsync(FileHeader.Of(key), cancellationToken);
        _begun = true;
        var length = _filled + DataKey.Overhead;
        key.Seal(_frame.AsSpan(0, _filled), _sealed.AsSpan(0, length), FileHeader.PlaceOf(fileId, _number, isLast));
        await inner.WriteAsync(_sealed.AsMemory(0, length), cancellationToken);
        _number++;
        _filled = 0;
    }
}
