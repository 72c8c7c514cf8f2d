using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace TaskQueue.Api.Hosting;

/// <summary>
/// Recognizes clients that speak HTTP/2 without TLS from the first byte, as clients of gRPC do: their first bytes are no request of
/// HTTP/1.1. The server itself offers HTTP/1.1 only where TLS does not negotiate the protocol.
/// </summary>
internal sealed class Http2Preface(ConnectionDelegate next, TimeSpan timeout)
{
    /// <summary>
    /// The server's own note of the protocols of one connection, which it makes for names of TLS. Its type is not public: a test fails if
    /// it is gone, and then HTTP/2 needs TLS.
    /// </summary>
    private static readonly Type? Note =
        typeof(HttpProtocols).Assembly.GetType("Microsoft.AspNetCore.Server.Kestrel.Core.Internal.HttpProtocolsFeature");

    private static readonly object? Http2 =
        Note?.GetConstructor([typeof(HttpProtocols)])?.Invoke([HttpProtocols.Http2]);

    /// <summary>No method of HTTP/1.1 begins with it.</summary>
    private static ReadOnlySpan<byte> Start => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    /// <summary>Whether such clients can be served.</summary>
    public static bool IsSupported => Http2 is not null;

    /// <summary>Serves a connection with the protocol that its client speaks.</summary>
    public async Task ServeAsync(ConnectionContext connection)
    {
        if (Http2 is not null && await IsHttp2Async(connection))
            connection.Features[Note!] = Http2;
        await next(connection);
    }

    /// <summary>Waits for the first bytes no longer than the server waits for a request, and not while it stops.</summary>
    private async ValueTask<bool> IsHttp2Async(ConnectionContext connection)
    {
        var input = connection.Transport.Input;
        CancellationTokenSource? late = null;
        CancellationTokenRegistration stopping = default;
        long seen = 0;
        try
        {
            while (true)
            {
                var pending = input.ReadAsync();
                if (!pending.IsCompleted && late is null)
                {
                    late = new CancellationTokenSource(timeout);
                    late.Token.UnsafeRegister(static c => ((ConnectionContext)c!).Abort(), connection);
                    stopping = (connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default)
                        .UnsafeRegister(static reader => ((PipeReader)reader!).CancelPendingRead(), input);
                }

                var read = await pending;
                var buffer = read.Buffer;
                var isHttp2 = Judge(buffer);
                if (isHttp2 is null && !read.IsCompleted && !read.IsCanceled)
                {
                    seen = buffer.Length;
                    input.AdvanceTo(buffer.Start, buffer.End);
                    continue;
                }

                // The server reads all of it again. What counts as looked at may not become less, so it is no more than it has to be: a
                // request that is shorter than the preface may have another behind it.
                input.AdvanceTo(buffer.Start, buffer.GetPosition(seen));
                return isHttp2 == true;
            }
        }
        catch (Exception fault) when (fault is OperationCanceledException or ConnectionResetException or ConnectionAbortedException)
        {
            return false; // the server finds the same
        }
        finally
        {
            await stopping.DisposeAsync();
            late?.Dispose();
        }
    }

    /// <summary>Whether bytes are those of HTTP/2; null: more are needed.</summary>
    private static bool? Judge(ReadOnlySequence<byte> buffer)
    {
        if (buffer.FirstSpan is [not (byte)'P', ..])
            return false;
        Span<byte> first = stackalloc byte[Start.Length];
        var length = (int)Math.Min(buffer.Length, first.Length);
        buffer.Slice(0, length).CopyTo(first);
        return !first[..length].SequenceEqual(Start[..length]) ? false : length == Start.Length ? true : null;
    }
}
