using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Memory;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Hosting;

/// <summary>Limits enforced by the web server, so that clients cannot exhaust memory or sockets before a request is handled.</summary>
internal static class ServerLimits
{
    /// <summary>Bytes buffered per connection and direction; beyond that, backpressure applies.</summary>
    private const int BufferBytes = 64 * 1024;

    /// <summary>Bytes of a request of HTTP/2 that may be under way: for one stream, and for all of a connection.</summary>
    private const int StreamWindow = 128 * 1024, ConnectionWindow = 256 * 1024;

    private static readonly TimeSpan PingDelay = TimeSpan.FromMinutes(1);

    private const int MinConnections = 256, MaxConnections = 131_072;

    /// <summary>Limits the transport's read-ahead: by default 1 MiB per connection, in memory that is never compacted.</summary>
    public static void Apply(SocketTransportOptions sockets) =>
        (sockets.MaxReadBufferSize, sockets.MaxWriteBufferSize) = (BufferBytes, BufferBytes);

    public static void Apply(KestrelServerOptions kestrel)
    {
        var services = kestrel.ApplicationServices;
        var options = services.GetRequiredService<IOptionsMonitor<LimitOptions>>().CurrentValue;
        var limits = kestrel.Limits;
        limits.MaxRequestBodySize = BodyLimits.Largest;
        limits.MaxRequestBufferSize = Math.Max(BufferBytes, options.MaxHeaderBytes);
        limits.MaxResponseBufferSize = BufferBytes;
        limits.MaxRequestHeadersTotalSize = options.MaxHeaderBytes;
        limits.MaxRequestHeaderCount = options.MaxHeaders;
        limits.MaxConcurrentConnections = Connections(options.MaxConnections, services.GetRequiredService<MemoryBudget>().Bytes);
        limits.MinRequestBodyDataRate = RateOf(options.MinRequestBytesPerSecond);
        limits.MinResponseDataRate = RateOf(options.MinResponseBytesPerSecond);
        (limits.Http2.InitialStreamWindowSize, limits.Http2.InitialConnectionWindowSize) = (StreamWindow, ConnectionWindow);
        // Clients of HTTP/2 keep a connection for hours, of which the network may drop an idle one in silence.
        limits.Http2.KeepAlivePingDelay = PingDelay;
    }

    private static long? Connections(int? configured, long memory) =>
        configured switch
        {
            0 => null,
            { } most => most,
            null => Math.Clamp(memory / (2 * BufferBytes), MinConnections, MaxConnections),
        };

    private static MinDataRate? RateOf(long bytesPerSecond) =>
        bytesPerSecond == 0 ? null : new MinDataRate(bytesPerSecond, BodyPace.Window);
}
