using System.Buffers;
using System.IO.Pipelines;
using TaskQueue.Engine.Memory;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Requests;

/// <summary>
/// Reads a body within a size limit, at a minimum pace, and within the memory budget. A small body reserves memory only when
/// complete; a larger one reserves what has arrived, and nothing is read beyond the reservation.
/// </summary>
internal sealed class RequestBody
{
    private readonly HttpContext _context;
    private readonly PipeReader _reader;
    private readonly long _maxBytes;
    private BodyPace? _pace;
    private bool _isPaced, _isReading;
    private long _consumed, _arrived;
    private ReadOnlySequence<byte> _buffer;

    /// <exception cref="ApiException">413 or 415.</exception>
    public RequestBody(HttpContext context, long maxBytes)
    {
        (_context, _maxBytes, _reader) = (context, maxBytes, context.Request.BodyReader);
        ContentCodings.DemandNone(context);
        Limit(Length ?? 0);
    }

    /// <summary>Content-Length, if sent.</summary>
    public long? Length => _context.Request.ContentLength;

    /// <summary>Bytes received so far.</summary>
    public long Arrived => _arrived;

    public RequestMemory Memory { get; private init; } = null!;

    public static RequestBody Of(HttpContext context, long maxBytes) => new(context, maxBytes) { Memory = context.Memory() };

    /// <summary>Reads until the body is complete or known not to be small.</summary>
    /// <returns>The data so far, and whether it is the whole body.</returns>
    public async ValueTask<ReadResult> ReadStartAsync()
    {
        while (true)
        {
            var read = await ReadAsync();
            if (read.IsCompleted || Length > MemoryBudget.SmallBytes || read.Buffer.Length > MemoryBudget.SmallBytes)
                return read;
            Advance(read.Buffer.Start);
        }
    }

    /// <summary>Reads more; call <see cref="Advance"/> before the next call.</summary>
    /// <exception cref="ApiException">408 or 413.</exception>
    public async ValueTask<ReadResult> ReadAsync()
    {
        var pending = _reader.ReadAsync(_context.RequestAborted);
        var read = pending.IsCompletedSuccessfully ? pending.Result : await WaitAsync(pending);
        (_buffer, _isReading) = (read.Buffer, true);
        var arrived = _consumed + read.Buffer.Length;
        _pace?.Note(arrived - _arrived);
        _arrived = arrived;
        Limit(arrived);
        return read.IsCompleted || _pace is not { IsLate: true } pace ? read : throw pace.TooSlow(_context);
    }

    /// <summary>Releases the data before a position; the rest is returned again with the next read.</summary>
    public void Advance(SequencePosition consumed)
    {
        _consumed += _buffer.Slice(0, consumed).Length;
        _reader.AdvanceTo(consumed, _buffer.End);
        (_buffer, _isReading) = (default, false);
    }

    /// <summary>Ends reading.</summary>
    public void End()
    {
        if (_isReading)
            Advance(_buffer.End);
    }

    /// <summary>Reserves memory for what has arrived.</summary>
    public async ValueTask ReserveAsync(long bytes, long most)
    {
        await Memory.GrowBodyAsync(bytes, most, _context.RequestAborted);
        _pace?.Restart();
    }

    private async ValueTask<ReadResult> WaitAsync(ValueTask<ReadResult> pending)
    {
        if (!_isPaced)
            (_pace, _isPaced) = (BodyPace.Of(_context), true);
        if (_pace is not { } pace)
            return await pending;
        await using var late = pace.Time.CreateTimer(static reader =>
            ((PipeReader)reader!).CancelPendingRead(), _reader, pace.Left, Timeout.InfiniteTimeSpan);
        return await pending;
    }

    // Not enforced by the server's own limit, which would cut the connection before a client that still sends reads the response.
    private void Limit(long bytes)
    {
        if (bytes > _maxBytes)
            throw new ApiException(413, "too_large", $"the body must have at most {_maxBytes} bytes");
    }
}
