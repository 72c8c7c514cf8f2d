using Microsoft.Extensions.Options;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Requests;

/// <summary>
/// Enforces a minimum rate over the last seconds. Kestrel's own limit is an average since the start, which a client that started
/// fast satisfies for long. Time during which the server does not read is not counted.
/// </summary>
internal sealed class BodyPace
{
    /// <summary>Length of the window.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromSeconds(5);

    private readonly TimeProvider _time;
    private readonly long _needed;
    private long _since, _arrived;

    private BodyPace(TimeProvider time, long bytesPerSecond)
    {
        (_time, BytesPerSecond) = (time, bytesPerSecond);
        _needed = (long)(bytesPerSecond * Window.TotalSeconds);
        Restart();
    }

    /// <summary>Minimum rate.</summary>
    public long BytesPerSecond { get; }

    public TimeProvider Time => _time;

    /// <summary>Time left for the client to send the window's minimum.</summary>
    public TimeSpan Left => Window - _time.GetElapsedTime(_since) is var left && left > TimeSpan.Zero ? left : TimeSpan.Zero;

    public bool IsLate => _time.GetElapsedTime(_since) >= Window;

    /// <summary>Creates the pace of a request's body; null if there is no limit.</summary>
    public static BodyPace? Of(HttpContext context) =>
        context.RequestServices.GetRequiredService<IOptionsMonitor<LimitOptions>>()
            .CurrentValue.MinRequestBytesPerSecond is > 0 and var rate
            ? new(context.RequestServices.GetRequiredService<TimeProvider>(), rate)
            : null;

    /// <summary>Records arrived bytes.</summary>
    public void Note(long bytes)
    {
        _arrived += bytes;
        if (_arrived >= _needed)
            Restart();
    }

    /// <summary>Starts a new window, for example after the server itself waited.</summary>
    public void Restart() => (_since, _arrived) = (_time.GetTimestamp(), 0);

    /// <summary>Rejects the rest of the body and closes the connection.</summary>
    public ApiException TooSlow(HttpContext context)
    {
        if (!context.Response.HasStarted)
            context.Response.Headers.Connection = "close";
        return new ApiException(408, "too_slow", $"the body arrives too slowly: send at least {BytesPerSecond} bytes a second");
    }
}

/// <summary>A body stream that enforces the pace.</summary>
internal sealed class PacedStream(HttpContext context, BodyPace pace) : Stream
{
    private readonly Stream _inner = context.Request.Body;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        pace.Restart(); // processing the previous bytes is the server's time
        using var late = new CancellationTokenSource(BodyPace.Window, pace.Time);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        var read = 0;
        try
        {
            // Read a window's worth, the whole buffer, or up to the end.
            var wanted = (int)Math.Min(buffer.Length, pace.BytesPerSecond * (long)BodyPace.Window.TotalSeconds);
            do
            {
                var part = await _inner.ReadAsync(buffer[read..], over.Token);
                if (part == 0)
                    break;
                read += part;
            }
            while (read < wanted);
            return read;
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw pace.TooSlow(context);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Flush()
    {
    }
}
