using System.IO.Compression;
using Grpc.Core;
using Grpc.Net.Compression;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.Moab.Rpc;

/// <summary>
/// Decompresses messages up to a limit. gRPC compares its own with what arrives, and decompresses that in memory however large it becomes.
/// </summary>
internal sealed class BoundedCompression(ICompressionProvider inner, int maxBytes, Func<ApiError, RpcException> toException)
    : ICompressionProvider
{
    public string EncodingName => inner.EncodingName;

    /// <summary>The compressions of gRPC.</summary>
    /// <param name="maxBytes">Largest message once it is decompressed.</param>
    /// <param name="toException">Refuses a larger one, in the format of the API.</param>
    public static List<ICompressionProvider> All(int maxBytes, Func<ApiError, RpcException> toException) =>
    [
        new BoundedCompression(new GzipCompressionProvider(CompressionLevel.Fastest), maxBytes, toException),
        new BoundedCompression(new DeflateCompressionProvider(CompressionLevel.Fastest), maxBytes, toException),
    ];

    public Stream CreateCompressionStream(Stream stream, CompressionLevel? compressionLevel) =>
        inner.CreateCompressionStream(stream, compressionLevel);

    public Stream CreateDecompressionStream(Stream stream) =>
        new BoundedStream(inner.CreateDecompressionStream(stream), maxBytes, toException);

    private sealed class BoundedStream(Stream inner, int maxBytes, Func<ApiError, RpcException> toException) : Stream
    {
        private long _read;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(Span<byte> buffer)
        {
            var count = inner.Read(buffer);
            _read += count;
            return _read <= maxBytes ? count : throw toException(
                new ApiError(413, "too_large", $"the message must have at most {maxBytes} bytes once it is decompressed"));
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
