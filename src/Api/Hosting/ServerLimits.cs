using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Memory;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Hosting;

/// <summary>What the server itself limits, so that nobody can take its memory or its sockets before a request is looked at.</summary>
internal static class ServerLimits
{
    /// <summary>What a connection may buffer in each direction; the rest waits at its client.</summary>
    private const int BufferBytes = 64 * 1024;

    private const int MinConnections = 256, MaxConnections = 131_072;

    /// <summary>It is the transport that reads ahead: by default 1 MiB for each connection, in memory that is never compacted.</summary>
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
