using System.Buffers;
using System.IO.Pipelines;
using TaskQueue.Engine.Memory;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Requests;

/// <summary>
/// Reads a body within a limit, at a least pace, and within the memory budget. A small one costs nothing until it is there; of a larger one
/// what has arrived is reserved, and what was not reserved is not read.
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

    /// <exception cref="ApiException">413.</exception>
    public RequestBody(HttpContext context, long maxBytes)
    {
        (_context, _maxBytes, _reader) = (context, maxBytes, context.Request.BodyReader);
        Limit(Length ?? 0);
    }

    /// <summary>Its length, where the client states it.</summary>
    public long? Length => _context.Request.ContentLength;

    /// <summary>Bytes that arrived so far.</summary>
    public long Arrived => _arrived;

    public RequestMemory Memory { get; private init; } = null!;

    public static RequestBody Of(HttpContext context, long maxBytes) => new(context, maxBytes) { Memory = context.Memory() };

    /// <summary>Reads on until the body is whole, or known not to be small.</summary>
    /// <returns>What there is, and whether it is the whole body.</returns>
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

    /// <summary>Reads on; <see cref="Advance"/> before the next call.</summary>
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

    /// <summary>What is before a place is not needed any more; the rest comes again, with more behind it.</summary>
    public void Advance(SequencePosition consumed)
    {
        _consumed += _buffer.Slice(0, consumed).Length;
        _reader.AdvanceTo(consumed, _buffer.End);
        (_buffer, _isReading) = (default, false);
    }

    /// <summary>Nothing more is read.</summary>
    public void End()
    {
        if (_isReading)
            Advance(_buffer.End);
    }

    /// <summary>Reserves for what has arrived.</summary>
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

    // Not by the limit of the server, which would cut the connection while the client still sends and never reads the answer.
    private void Limit(long bytes)
    {
        if (bytes > _maxBytes)
            throw new ApiException(413, "too_large", $"the body must have at most {_maxBytes} bytes");
    }
}
