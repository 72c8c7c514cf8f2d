using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Grpc.Core;
using TaskQueue.Engine.Memory;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.Moab.Rpc;

/// <summary>
/// Looks at the message of a request before gRPC reads it: waits until it has arrived, at the minimum pace of bodies and with memory
/// reserved for what has, and reads it where a signature covers it. Nothing is consumed.
/// </summary>
internal static class GrpcMessage
{
    /// <summary>A byte that tells whether the message is compressed, and its length.</summary>
    private const int Prefix = 5;

    /// <summary>Memory per byte of a message: what arrived, what is parsed, and its texts at two bytes per character.</summary>
    public const int PerByte = 6;

    /// <summary>What a byte compressed by deflate can become.</summary>
    private const int LargestRatio = 1032;

    /// <summary>Serves a request after memory for its message is reserved.</summary>
    /// <param name="context">The request.</param>
    /// <param name="next">Serves it.</param>
    /// <param name="maxBytes">Largest message.</param>
    /// <param name="maxPlainBytes">Largest message that arrives compressed, once it is decompressed.</param>
    public static async Task ServeAsync(HttpContext context, RequestDelegate next, int maxBytes, int maxPlainBytes)
    {
        try
        {
            await ReserveAsync(context, maxBytes, maxPlainBytes);
        }
#pragma warning disable CA1031 // every exception is rendered in the API's format
        catch (Exception fault) when (!context.RequestAborted.IsCancellationRequested)
#pragma warning restore CA1031
        {
            var render = context.GetEndpoint()?.Metadata.GetMetadata<ApiErrorFormat>()?.Render ?? GrpcErrors.ToResult;
            await render(ApiErrors.Report(context, fault)).ExecuteAsync(context);
            return;
        }

        await next(context);
    }

    /// <summary>Reads the message, decompressed; null if there is none that can be read.</summary>
    /// <exception cref="ApiException">The message is too large.</exception>
    /// <exception cref="TaskQueue.Engine.OverloadedException">The memory budget is exhausted.</exception>
    public static async ValueTask<byte[]?> PeekAsync(HttpContext context, int maxBytes)
    {
        if (await ReserveAsync(context, maxBytes, maxBytes) is not { } head)
            return null;
        var read = await context.Request.BodyReader.ReadAtLeastAsync((int)(Prefix + head.Length), context.RequestAborted); // it is there
        try
        {
            if (read.Buffer.Length < Prefix + head.Length)
                return null;
            var message = read.Buffer.Slice(Prefix, head.Length).ToArray();
            return head.IsCompressed ? Decompress(message, context.Request.Headers["grpc-encoding"].ToString(), maxBytes) : message;
        }
        finally
        {
            GiveBack(context.Request.BodyReader, read.Buffer, Prefix + head.Length);
        }
    }

    private static async ValueTask<Head?> ReserveAsync(HttpContext context, int maxBytes, int maxPlainBytes)
    {
        if (context.Features.Get<Head>() is { } known)
            return known;
        var arrival = new Arrival(context);
        await arrival.UntilAsync(Prefix);
        if (arrival.Head is not { } head)
            return null; // gRPC refuses it
        if (head.Length > maxBytes)
            throw new ApiException(413, "too_large", $"the message must have at most {maxBytes} bytes, and has {head.Length}");
        var cost = PerByte * (head.IsCompressed ? Math.Min(maxPlainBytes, LargestRatio * head.Length) : head.Length);
        await arrival.UntilAsync(Prefix + head.Length, cost);
        if (cost <= MemoryBudget.SmallBytes)
            await context.Memory().ReserveSmallBodyAsync(cost, context.RequestAborted);
        else
            await context.Memory().GrowBodyAsync(cost, cost, context.RequestAborted);
        context.Features.Set(head);
        return head;
    }

    private static Head? HeadOf(ReadOnlySequence<byte> buffer)
    {
        if (buffer.Length < Prefix)
            return null;
        Span<byte> prefix = stackalloc byte[Prefix];
        buffer.Slice(0, Prefix).CopyTo(prefix);
        return new Head(prefix[0] == 1, BinaryPrimitives.ReadUInt32BigEndian(prefix[1..]));
    }

    /// <summary>Leaves the data in the reader. What was looked at may not become less, and the last byte must count as new.</summary>
    private static void GiveBack(PipeReader reader, ReadOnlySequence<byte> buffer, long bytes) =>
        reader.AdvanceTo(buffer.Start, buffer.Length < bytes ? buffer.End : buffer.GetPosition(bytes - 1));

    /// <summary>Decompresses a message; null if it is not compressed in that way, or larger than any valid one.</summary>
    private static byte[]? Decompress(byte[] message, string encoding, int maxBytes)
    {
        if (BoundedCompression.All(maxBytes, GrpcErrors.ToException).Find(c => c.EncodingName == encoding) is not { } compression)
            return null;
        try
        {
            using var source = new MemoryStream(message);
            using var stream = compression.CreateDecompressionStream(source);
            using var plain = new MemoryStream();
            stream.CopyTo(plain);
            return plain.ToArray();
        }
        catch (Exception fault) when (fault is InvalidDataException or RpcException)
        {
            return null;
        }
    }

    /// <summary>What is in front of a message.</summary>
    private sealed record Head(bool IsCompressed, long Length);

    /// <summary>The arrival of a message.</summary>
    private sealed class Arrival(HttpContext context)
    {
        private readonly BodyPace? _pace = BodyPace.Of(context);
        private readonly PipeReader _reader = context.Request.BodyReader;
        private long _arrived;

        public Head? Head { get; private set; }

        /// <summary>Waits until a number of bytes, or all, have arrived.</summary>
        /// <param name="bytes">The number.</param>
        /// <param name="most">Memory needed in the end, of which the share of what has arrived is reserved; 0: none.</param>
        /// <exception cref="ApiException">408: they arrive too slowly.</exception>
        public async ValueTask UntilAsync(long bytes, long most = 0)
        {
            while (true)
            {
                var read = await ReadAsync();
                var buffer = read.Buffer;
                _pace?.Note(buffer.Length - _arrived);
                _arrived = buffer.Length;
                Head ??= HeadOf(buffer);
                GiveBack(_reader, buffer, bytes);
                if (_arrived >= bytes || read.IsCompleted)
                    return;
                if (_pace is { IsLate: true } pace)
                    throw pace.TooSlow(context);
                if (PerByte * _arrived > MemoryBudget.SmallBytes && most > 0)
                    await GrowAsync(Math.Min(most, PerByte * _arrived), most);
            }
        }

        private async ValueTask GrowAsync(long bytes, long most)
        {
            await context.Memory().GrowBodyAsync(bytes, most, context.RequestAborted);
            _pace?.Restart();
        }

        private async ValueTask<ReadResult> ReadAsync()
        {
            var pending = _reader.ReadAsync(context.RequestAborted);
            if (pending.IsCompletedSuccessfully || _pace is not { } pace)
                return await pending;
            await using var late = pace.Time.CreateTimer(
                static reader => ((PipeReader)reader!).CancelPendingRead(), _reader, pace.Left, Timeout.InfiniteTimeSpan);
            return await pending;
        }
    }
}
