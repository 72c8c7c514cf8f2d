namespace TaskQueue.Tests.Servers;

/// <summary>Bytes generated while they are read; from time to time it checks how many of them have been stored.</summary>
internal sealed class GeneratedStream(long length, Func<long> stored) : Stream
{
    private const int LookEvery = 4 * 1024 * 1024;
    private long _given;

    public long MostUnstored { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position { get => _given; set => throw new NotSupportedException(); }

    public override int Read(byte[] buffer, int offset, int count)
    {
        if (_given / LookEvery != (_given + count) / LookEvery)
            MostUnstored = Math.Max(MostUnstored, _given - stored());
        var part = (int)Math.Min(count, length - _given);
        for (var i = 0; i < part; i++)
            buffer[offset + i] = (byte)((_given + i) * 31 >> 4);
        _given += part;
        return part;
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
