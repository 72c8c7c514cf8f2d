using Microsoft.Extensions.Options;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Requests;

/// <summary>
/// How fast a body arrives, over the last seconds: Kestrel's own limit is an average since the start, which a client that began fast keeps
/// for long. Time in which the server itself does not read is not counted.
/// </summary>
internal sealed class BodyPace
{
    /// <summary>The seconds that count.</summary>
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

    /// <summary>The least that must arrive.</summary>
    public long BytesPerSecond { get; }

    public TimeProvider Time => _time;

    /// <summary>How long the client may still take for what the window asks for.</summary>
    public TimeSpan Left => Window - _time.GetElapsedTime(_since) is var left && left > TimeSpan.Zero ? left : TimeSpan.Zero;

    public bool IsLate => _time.GetElapsedTime(_since) >= Window;

    /// <summary>The pace of a request's body; null where there is no limit.</summary>
    public static BodyPace? Of(HttpContext context) =>
        context.RequestServices.GetRequiredService<IOptionsMonitor<LimitOptions>>()
            .CurrentValue.MinRequestBytesPerSecond is > 0 and var rate
            ? new(context.RequestServices.GetRequiredService<TimeProvider>(), rate)
            : null;

    /// <summary>So much has arrived.</summary>
    public void Note(long bytes)
    {
        _arrived += bytes;
        if (_arrived >= _needed)
            Restart();
    }

    /// <summary>Begins a new window, such as after a wait of the server's own.</summary>
    public void Restart() => (_since, _arrived) = (_time.GetTimestamp(), 0);

    /// <summary>Refuses the rest: the connection is closed.</summary>
    public ApiException TooSlow(HttpContext context)
    {
        if (!context.Response.HasStarted)
            context.Response.Headers.Connection = "close";
        return new ApiException(408, "too_slow", $"the body arrives too slowly: send at least {BytesPerSecond} bytes a second");
    }
}

/// <summary>A body as a stream that keeps the pace.</summary>
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
        pace.Restart(); // what was done with the bytes before is the server's time
        using var late = new CancellationTokenSource(BodyPace.Window, pace.Time);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        var read = 0;
        try
        {
            // A window's worth, or the whole buffer, or the end.
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
