using Amazon.S3.Model;
using TaskQueue.Engine.Files;

namespace TaskQueue.Storage.S3;

/// <summary>
/// Holds one part in memory. A content of at most one part is stored with one request when the stream is disposed; of a longer one each
/// full part is sent when more follows, and disposal makes them a content.
/// </summary>
internal sealed class S3WriteStream(S3Bucket bucket, string name, Action<Exception> notAborted) : AsyncStream
{
    private const int FirstBuffer = 64 * 1024;

    /// <summary>A caller waits for it.</summary>
    private static readonly TimeSpan AbortPatience = TimeSpan.FromSeconds(5);

    private readonly List<PartETag> _parts = [];
    private byte[] _part = [];
    private int _filled;
    private long _length;
    private string? _upload;
    private bool _abandoned, _disposed;

    public override bool CanWrite => !_disposed;

    public override void Abandon() => _abandoned = true; // as after a failure

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_abandoned)
            throw new IOException("an earlier part of the content could not be stored");
        while (buffer.Length > 0)
        {
            if (_filled == bucket.Options.PartBytes)
                await SendAsync(cancellationToken);
            Grow((long)_filled + buffer.Length);
            var part = Math.Min(buffer.Length, _part.Length - _filled);
            buffer[..part].CopyTo(_part.AsMemory(_filled));
            _filled += part;
            _length += part;
            buffer = buffer[part..];
        }
    }

    public override async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        try
        {
            if (!_abandoned)
                await StoreAsync();
        }
        catch
        {
            _abandoned = true;
            throw;
        }
        finally
        {
            if (_abandoned && _upload is not null)
                await TryAbortAsync(_upload);
            _part = [];
            await base.DisposeAsync();
        }
    }

    private async Task StoreAsync()
    {
        if (_upload is null)
        {
            await bucket.PutAsync(name, new ArraySegment<byte>(_part, 0, _filled), CancellationToken.None);
            return;
        }

        await SendAsync(CancellationToken.None);
        await bucket.CompleteAsync(name, _upload, _parts, _length);
    }

    private async Task SendAsync(CancellationToken cancellationToken)
    {
        if (_parts.Count == S3Options.MaxParts)
            throw new IOException($"the content has more than {S3Options.MaxParts} parts: raise TaskQueue:Files:S3:PartBytes");
        try
        {
            _upload ??= await bucket.BeginAsync(name, cancellationToken);
            var part = new ArraySegment<byte>(_part, 0, _filled);
            _parts.Add(await bucket.SendPartAsync(name, _upload, _parts.Count + 1, part, cancellationToken));
            _filled = 0;
        }
        catch
        {
            _abandoned = true;
            throw;
        }
    }

    /// <summary>Small contents need little memory.</summary>
    private void Grow(long needed)
    {
        if (needed <= _part.Length || _part.Length == bucket.Options.PartBytes)
            return;
        var size = Math.Min(bucket.Options.PartBytes, Math.Max(needed, Math.Max(FirstBuffer, _part.Length * 2L)));
        Array.Resize(ref _part, (int)size);
    }

    /// <summary>What cannot be removed soon, a maintenance job removes later.</summary>
    private async Task TryAbortAsync(string upload)
    {
        using var patience = new CancellationTokenSource(AbortPatience);
        try
        {
            await bucket.AbortAsync(name, upload, patience.Token);
        }
        catch (Exception fault) when (fault is IOException or OperationCanceledException)
        {
            notAborted(fault);
        }
    }
}
