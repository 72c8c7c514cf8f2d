using TaskQueue.Engine.Files;

namespace TaskQueue.Engine.Encryption;

/// <summary>Stores a content unencrypted; one that itself begins with the magic bytes gets a header that marks it as plain.</summary>
internal sealed class PlainFileWriter(Stream inner) : AsyncStream
{
    private readonly byte[] _begin = new byte[FileHeader.Magic.Length];
    private int _filled;
    private bool _begun, _abandoned, _disposed;

    public override bool CanWrite => !_disposed;

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (!_begun)
        {
            var part = Math.Min(buffer.Length, _begin.Length - _filled);
            buffer[..part].CopyTo(_begin.AsMemory(_filled));
            _filled += part;
            buffer = buffer[part..];
            if (_filled < _begin.Length)
                return;
            await BeginAsync(cancellationToken);
        }

        if (buffer.Length > 0)
            await inner.WriteAsync(buffer, cancellationToken);
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
            if (!_begun && _filled > 0 && !_abandoned)
                await BeginAsync(CancellationToken.None);
        }
        finally
        {
            await inner.DisposeAsync();
            await base.DisposeAsync();
        }
    }

    private async Task BeginAsync(CancellationToken cancellationToken)
    {
        _begun = true;
        if (FileHeader.IsThere(_begin.AsSpan(0, _filled)))
            await inner.WriteAsync(FileHeader.Of(null), cancellationToken);
        await inner.WriteAsync(_begin.AsMemory(0, _filled), cancellationToken);
    }
}
