using System.Globalization;
using System.Net;
using Amazon.S3.Model;
using TaskQueue.Engine.Files;

namespace TaskQueue.Storage.S3;

/// <summary>
/// Reads a content from one answer after another: each begins where the reader is, and the next replaces one that was cut off or stands
/// still. Holds 64 KiB, within which the reader moves freely. The first answer is no longer than that: many readers only look at the begin,
/// and then go elsewhere.
/// </summary>
internal sealed class S3ReadStream : AsyncStream
{
    private const int BufferBytes = 64 * 1024;

    private readonly S3Bucket _bucket;
    private readonly string _name;
    private readonly long _length;
    private readonly byte[] _buffer = new byte[BufferBytes];
    private GetObjectResponse? _answer;
    private Stream? _body;
    private long _at, _answerEnd, _end = long.MaxValue, _bufferAt;
    private int _buffered;

    private S3ReadStream(S3Bucket bucket, string name, long length) => (_bucket, _name, _length) = (bucket, name, length);

    /// <summary>Opens a content at its begin.</summary>
    /// <param name="bucket">The bucket.</param>
    /// <param name="name">Name of the content.</param>
    /// <param name="length">Its length, or more.</param>
    /// <param name="cancellationToken">Cancels the request.</param>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    public static async Task<S3ReadStream> OpenAsync(S3Bucket bucket, string name, long length, CancellationToken cancellationToken)
    {
        var stream = new S3ReadStream(bucket, name, length);
        await stream.OpenAsync(BufferBytes - 1, cancellationToken);
        return stream;
    }

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override long Length => _length;

    public override long Position { get; set; }

    public override long Seek(long offset, SeekOrigin origin) =>
        Position = offset + (origin switch { SeekOrigin.Begin => 0, SeekOrigin.Current => Position, _ => _length });

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (Position >= _length || buffer.Length == 0)
            return 0;
        if ((Position < _bufferAt || Position >= _bufferAt + _buffered) && !await FillAsync(cancellationToken))
            return 0;
        var from = (int)(Position - _bufferAt);
        var part = Math.Min(buffer.Length, _buffered - from);
        _buffer.AsMemory(from, part).CopyTo(buffer);
        Position += part;
        return part;
    }

    public override async ValueTask DisposeAsync()
    {
        CloseAnswer();
        await base.DisposeAsync();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            CloseAnswer();
        base.Dispose(disposing);
    }

    /// <returns>False at the end of the content.</returns>
    private async Task<bool> FillAsync(CancellationToken cancellationToken)
    {
        for (var tries = 0; Position < _end; tries++)
        {
            if (_body is null || _at != Position || _at >= _answerEnd)
                await OpenAsync(to: null, cancellationToken); // the SDK repeats what fails here
            if (_body is null)
                break;
            try
            {
                var read = await ReadOnceAsync(_body, cancellationToken);
                (_bufferAt, _buffered) = (_at, read);
                _at += read;
                return true;
            }
            catch (Exception fault) when (_bucket.Translate(fault, cancellationToken) is not null)
            {
                CloseAnswer();
                if (tries == _bucket.Options.Retries)
                    throw _bucket.Translate(fault, cancellationToken)!;
                await Task.Delay(TimeSpan.FromMilliseconds(Math.Min(2000, 50 << tries)), cancellationToken);
            }
        }

        return false;
    }

    private async Task<int> ReadOnceAsync(Stream body, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(_bucket.Options.Timeout);
        _buffered = 0; // what a failed read leaves in the buffer is not known
        return await body.ReadAsync(_buffer, patience.Token) is > 0 and var read ? read
            : throw new EndOfStreamException($"the answer ends at byte {_at} instead of {_answerEnd}");
    }

    /// <summary>Opens an answer where the reader is.</summary>
    private async Task OpenAsync(long? to, CancellationToken cancellationToken)
    {
        CloseAnswer();
        (_at, _answerEnd) = (Position, Position);
        if (await _bucket.OpenAsync(_name, Position, to, cancellationToken) is not { } answer)
        {
            _end = Math.Min(_end, Position);
            return;
        }

        (_answer, _body) = (answer, answer.ResponseStream);
        if (Position > 0 && answer.HttpStatusCode != HttpStatusCode.PartialContent)
        {
            CloseAnswer();
            throw new IOException("the server ignores ranges");
        }

        (_answerEnd, _end) = RangeOf(answer.ContentRange) ?? (Position + answer.ContentLength, Position + answer.ContentLength);
    }

    /// <summary>The end of an answer and of its content: <c>bytes 0-99/200</c>.</summary>
    private static (long End, long Length)? RangeOf(string? text) =>
        text?.Split(' ', '-', '/') is [_, _, var last, var all]
            && long.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out var end)
            && long.TryParse(all, NumberStyles.None, CultureInfo.InvariantCulture, out var length) ? (end + 1, length) : null;

    private void CloseAnswer()
    {
        _answer?.Dispose();
        (_answer, _body) = (null, null);
    }
}
