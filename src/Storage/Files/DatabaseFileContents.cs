using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Files;

namespace TaskQueue.Storage.Files;

/// <summary>File contents in table <c>file_chunks</c>, with a short transaction for each chunk.</summary>
internal sealed class DatabaseFileContents(IDbContextFactory<TaskDbContext> databases) : IFileContents
{
    private const int ChunkBytes = 256 * 1024;

    /// <summary>SQLite has a single writer, which must not be blocked for long.</summary>
    private const int ChunksAtOnce = 16;

    public Stream OpenWrite(string id) => new WriteStream(databases, id);

    public Task<Stream> OpenReadAsync(FileRecord file, CancellationToken cancellationToken) =>
        Task.FromResult<Stream>(new ReadStream(databases, file.Id, file.Bytes));

    public async Task DeleteAsync(string id)
    {
        await using var db = await databases.CreateDbContextAsync();
        var chunks = db.Set<FileChunk>().Where(c => c.FileId == id);
        var end = await chunks.MaxAsync(c => (int?)c.Number) + 1 ?? 0;
        for (var from = 0; from < end; from += ChunksAtOnce)
            await chunks.Where(c => c.Number >= from && c.Number < from + ChunksAtOnce).ExecuteDeleteAsync();
    }

    // Rows and contents are in the same database, and a row is deleted last.
    public IAsyncEnumerable<string> BeforeAsync(DateTime time) => AsyncEnumerable.Empty<string>();

    /// <summary>Buffers a chunk, then stores it.</summary>
    private sealed class WriteStream(IDbContextFactory<TaskDbContext> databases, string id) : AsyncStream
    {
        private readonly byte[] _chunk = new byte[ChunkBytes];
        private int _filled, _number;
        private bool _abandoned, _disposed;

        public override bool CanWrite => !_disposed;

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            while (buffer.Length > 0)
            {
                var part = Math.Min(buffer.Length, ChunkBytes - _filled);
                buffer[..part].CopyTo(_chunk.AsMemory(_filled));
                _filled += part;
                buffer = buffer[part..];
                if (_filled == ChunkBytes)
                    await StoreAsync();
            }
        }

        public override void Abandon() => _abandoned = true;

        public override async ValueTask DisposeAsync()
        {
            if (_disposed)
                return;
            _disposed = true;
            if (_filled > 0 && !_abandoned)
                await StoreAsync();
            await base.DisposeAsync();
        }

        private async Task StoreAsync()
        {
            await using var db = await databases.CreateDbContextAsync();
            db.Add(new FileChunk { FileId = id, Number = _number, Data = _filled == ChunkBytes ? _chunk : _chunk[.._filled] });
            await db.SaveChangesAsync();
            _number++;
            _filled = 0;
        }
    }

    /// <summary>Holds one chunk at a time.</summary>
    private sealed class ReadStream(IDbContextFactory<TaskDbContext> databases, string id, long length) : AsyncStream
    {
        private byte[] _chunk = [];
        private long _number = -1;

        public override bool CanRead => true;

        public override bool CanSeek => true;

        public override long Length => length;

        public override long Position { get; set; }

        public override long Seek(long offset, SeekOrigin origin) =>
            Position = offset + (origin switch { SeekOrigin.Begin => 0, SeekOrigin.Current => Position, _ => length });

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Position >= length || buffer.Length == 0)
                return 0;
            if (Position / ChunkBytes != _number)
                await LoadAsync((int)(Position / ChunkBytes), cancellationToken);
            var from = (int)(Position % ChunkBytes);
            var part = Math.Min(buffer.Length, _chunk.Length - from);
            _chunk.AsMemory(from, part).CopyTo(buffer);
            Position += part;
            return part;
        }

        private async Task LoadAsync(int number, CancellationToken cancellationToken)
        {
            await using var db = await databases.CreateDbContextAsync(cancellationToken);
            _chunk = await db.Set<FileChunk>().AsNoTracking().Where(c => c.FileId == id && c.Number == number).Select(c => c.Data)
                .SingleOrDefaultAsync(cancellationToken)
                ?? throw new FileNotFoundException($"Chunk {number} of {id} is gone: the file was deleted.");
            _number = number;
        }
    }
}
