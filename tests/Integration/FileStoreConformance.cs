using System.Security.Cryptography;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Files;
using TaskQueue.Scheduler.Retention;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>The behaviour of every file store, wherever the contents are.</summary>
public abstract class FileStoreConformance(DatabaseProvider provider, FileStoreKind store) : IAsyncLifetime
{
    private const int Chunk = 256 * 1024;
    private static readonly DateTime Start = new(2031, 2, 3, 4, 5, 6, DateTimeKind.Utc);

    private readonly SetTime _time = new(Start);
    private TestDatabase _database = null!;
    private TestEngine _engine = null!;

    private protected FileService Files => _engine.Files;

    private protected string Folder => _database.Folder;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(provider);
        var settings = await PrepareAsync();
        settings["TaskQueue:Files:Store"] = store.ToString();
        _engine = new TestEngine(_database.Address, time: _time, settings: settings);
    }

    public virtual async Task DisposeAsync()
    {
        await _engine.DisposeAsync();
        await _database.DisposeAsync();
    }

    /// <summary>Starts what the store needs, and returns its settings.</summary>
    private protected virtual Task<Dictionary<string, string?>> PrepareAsync() => Task.FromResult(new Dictionary<string, string?>());

    /// <summary>Contents that are not in the database.</summary>
    private protected virtual int StoredOutside => store == FileStoreKind.Disk ? Directory.GetFiles(_database.Folder).Length : 0;

    /// <summary>Their bytes.</summary>
    private protected virtual long BytesOutside =>
        store == FileStoreKind.Disk ? new DirectoryInfo(_database.Folder).GetFiles().Sum(f => f.Length) : 0;

    /// <summary>What a store may hold in memory.</summary>
    private protected virtual int MaxUnstored => 2 * Chunk;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(Chunk - 1)]
    [InlineData(Chunk)]
    [InlineData((3 * Chunk) + 17)]
    public async Task Written_contents_are_read_back(int length)
    {
        var content = RandomNumberGenerator.GetBytes(length);

        var file = await CreateAsync(content);

        file.Id.ShouldMatch(@"^file-310203040506\d{10}-\d{9}$");
        var found = (await Files.FindAsync(file.Id, Access.All, default)).ShouldNotBeNull();
        (found.Owner, found.Purpose, found.FileName, found.Bytes, found.CreatedAt, found.Ready)
            .ShouldBe(("ann", "batch", "größe.jsonl", length, Start, true));
        (await ReadAsync(found)).ShouldBe(content);
    }

    [Fact]
    public async Task A_file_content_is_seekable()
    {
        var content = RandomNumberGenerator.GetBytes((2 * Chunk) + 100);
        await using var stream = await Files.OpenReadAsync(await CreateAsync(content), default);
        stream.Length.ShouldBe(content.Length);
        var part = new byte[50];
        foreach (var from in new[] { Chunk - 25, 0, content.Length - 50, (2 * Chunk) - 1 })
        {
            stream.Seek(from, SeekOrigin.Begin).ShouldBe(from);
            await stream.ReadExactlyAsync(part);
            part.ShouldBe(content.AsSpan(from, 50).ToArray());
            stream.Position.ShouldBe(from + 50);
        }

        stream.Seek(-1, SeekOrigin.End);
        (await stream.ReadAsync(part)).ShouldBe(1);
        (await stream.ReadAsync(part)).ShouldBe(0);
    }

    [Fact]
    public async Task A_file_grows_by_small_writes_and_becomes_visible_on_commit()
    {
        await using var file = await Files.OpenWriteAsync("ann", "batch_output", "out.jsonl");
        var text = new StringBuilder();
        await using (var lines = new StreamWriter(file.Stream, leaveOpen: true))
        {
            for (var n = 0; n < 20_000; n++)
            {
                var line = $$"""{"line":{{n}},"text":"some more"}""" + "\n";
                text.Append(line);
                await lines.WriteAsync(line);
            }
        }

        (await ListAsync()).ShouldBeEmpty();
        var committed = await file.CommitAsync();

        (await ReadAsync(committed)).ShouldBe(Encoding.UTF8.GetBytes(text.ToString()));
        (await ListAsync()).ShouldBe([committed.Id]);
    }

    [Fact]
    public async Task Uncommitted_files_are_gone()
    {
        await using (var file = await Files.OpenWriteAsync(null, "batch", "a"))
            await file.Stream.WriteAsync(new byte[Chunk + 1]);
        await Should.ThrowAsync<FileTooLargeException>(() =>
            Files.CreateAsync(null, "batch", "a", new MemoryStream(new byte[2 * Chunk]), (2 * Chunk) - 1, default));
        await Should.ThrowAsync<IOException>(() => Files.CreateAsync(null, "batch", "a", new BrokenStream(), long.MaxValue, default));

        await NothingIsLeftAsync();
    }

    [Fact]
    public async Task A_file_of_exactly_the_maximum_size_is_allowed() =>
        (await Files.CreateAsync(null, "batch", "a", new MemoryStream(new byte[1000]), 1000, default)).Bytes.ShouldBe(1000);

    [Fact]
    public async Task An_owner_sees_only_its_own_files()
    {
        var (ann, ben) = (await CreateAsync([1], "ann"), await CreateAsync([2], "ben"));

        (await Files.FindAsync(ann.Id, Access.Of("ben"), default)).ShouldBeNull();
        (await Files.FindAsync(ann.Id, Access.Of("ann"), default)).ShouldNotBeNull();
        (await ListAsync("ben")).ShouldBe([ben.Id]);
        (await ListAsync()).ShouldBe([ben.Id, ann.Id]);
        (await Files.DeleteAsync(ann.Id, Access.Of("ben"))).ShouldBeFalse();
        (await ReadAsync(ann)).ShouldBe([1]);
    }

    [Fact]
    public async Task Pages_of_files_created_at_the_same_time_neither_repeat_nor_skip()
    {
        var ids = new List<string>();
        for (var n = 0; n < 7; n++)
        {
            _time.Now = Start.AddSeconds(n / 4);
            ids.Add((await CreateAsync([])).Id);
        }

        foreach (var newestFirst in new[] { true, false })
        {
            var seen = new List<FileRecord>();
            while (await Files.ListAsync(Access.Of("ann"), ["batch"], seen.LastOrDefault(), 3, newestFirst, default) is { Count: > 0 } page)
                seen.AddRange(page);
            seen.Select(f => f.Id).ShouldBe(newestFirst ? ids.Order(StringComparer.Ordinal).Reverse() : ids.Order(StringComparer.Ordinal));
        }

        (await Files.ListAsync(Access.Of("ann"), ["vision", "evals"], null, 10, true, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_deleted_file_leaves_nothing()
    {
        var file = await CreateAsync(new byte[(20 * Chunk) + 1]);

        (await Files.DeleteAsync(file.Id, Access.Of("ann"))).ShouldBeTrue();

        (await Files.DeleteAsync(file.Id, Access.Of("ann"))).ShouldBeFalse();
        await NothingIsLeftAsync();
    }

    [Fact]
    public async Task A_colliding_id_is_drawn_again()
    {
        var first = await CreateAsync([1]);
        var next = first.Id[..26] + (char)(first.Id[26] + 1) + first.Id[27..]; // the clock stands still
        await using (var db = _database.CreateContext())
        {
            db.Files.Add(new FileRecord { Id = next, CreatedAt = Start });
            await db.SaveChangesAsync();
        }

        var second = await CreateAsync([2]);

        second.Id.ShouldNotBe(next);
        (await ReadAsync(second)).ShouldBe([2]);
    }

    [Fact]
    public async Task An_expired_file_is_invisible_at_once_and_removed_later()
    {
        var kept = await CreateAsync([1]);
        await using (var writer = await Files.OpenWriteAsync("ann", "batch", "short"))
        {
            await writer.Stream.WriteAsync(new byte[] { 2 });
            (await writer.CommitAsync(keep: TimeSpan.FromHours(1), requestKey: "key")).ExpiresAt.ShouldBe(Start.AddHours(1));
        }

        _time.Now = Start.AddHours(1).AddMilliseconds(-1);
        (await ListAsync()).Count.ShouldBe(2);
        (await Files.FindByRequestAsync("key", default)).ShouldNotBeNull();
        _time.Now = Start.AddHours(1);

        (await ListAsync("ann")).ShouldBe([kept.Id]);
        (await Files.FindByRequestAsync("key", default)).ShouldBeNull();
        await using (var again = await Files.OpenWriteAsync("ann", "batch", "again"))
            (await again.CommitAsync(requestKey: "key")).RequestKey.ShouldBe("key", "the key of an expired file is free");
        (await RowsAsync()).ShouldBe(3);
        (await new AbandonedFiles(Files).RunAsync(() => { }, default)).ShouldBe(1);
        (await RowsAsync()).ShouldBe(2);
    }

    [Fact]
    public async Task A_request_makes_one_file_until_that_is_deleted()
    {
        var first = await Files.OpenWriteAsync("ann", "batch", "first");
        await first.CommitAsync(requestKey: "key");
        await using (var second = await Files.OpenWriteAsync("ann", "batch", "second"))
            (await second.CommitAsync(requestKey: "key")).Id.ShouldBe(first.File.Id, "the other request was faster");

        (await Files.FindByRequestAsync("key", default)).ShouldNotBeNull().Id.ShouldBe(first.File.Id);
        (await RowsAsync()).ShouldBe(1);
        await Files.DeleteAsync(first.File.Id, Access.All);
        await using var third = await Files.OpenWriteAsync("ann", "batch", "third");
        (await third.CommitAsync(requestKey: "key")).Ready.ShouldBeTrue();
    }

    [Fact]
    public async Task Uploads_interrupted_by_a_crash_are_removed_after_a_day()
    {
        var kept = await CreateAsync([1]);
        var crashed = await Files.OpenWriteAsync("ann", "batch", "crashed"); // never disposed
        await crashed.Stream.WriteAsync(new byte[Chunk]);
        _time.Now = Start.AddHours(12);
        var young = await Files.OpenWriteAsync("ann", "batch", "young");
        _time.Now = Start.AddDays(1).AddSeconds(1);

        (await new AbandonedFiles(Files).RunAsync(() => { }, default)).ShouldBe(1, "the upload is swept");

        (await RowsAsync()).ShouldBe(2);
        (await ReadAsync(kept)).ShouldBe([1]);
        await young.CommitAsync();
        (await Should.ThrowAsync<InvalidOperationException>(() => crashed.CommitAsync())).Message.ShouldContain("abandoned");
        await crashed.DisposeAsync();
        (await StoredAsync()).ShouldBe(store == FileStoreKind.Database ? 1 : 2, "an empty file has no chunk");
    }

    [Fact]
    public async Task Memory_is_flat()
    {
        // However much is sent, only this much is neither stored nor unread.
        var stream = new GeneratedStream(64 * 1024 * 1024, StoredBytes);

        var file = await Files.CreateAsync(null, "batch", "large", stream, long.MaxValue, default);

        file.Bytes.ShouldBe(64 * 1024 * 1024);
        stream.MostUnstored.ShouldBeLessThanOrEqualTo(MaxUnstored);
        await using var read = await Files.OpenReadAsync(file, default);
        (await SHA256.HashDataAsync(read)).ShouldBe(await SHA256.HashDataAsync(new GeneratedStream(64 * 1024 * 1024, () => 0)));
    }

    private protected Task<FileRecord> CreateAsync(byte[] content, string owner = "ann") =>
        Files.CreateAsync(owner, "batch", "größe.jsonl", new MemoryStream(content), long.MaxValue, default);

    private async Task<byte[]> ReadAsync(FileRecord file)
    {
        await using var stream = await Files.OpenReadAsync(file, default);
        using var copy = new MemoryStream();
        await stream.CopyToAsync(copy);
        return copy.ToArray();
    }

    private async Task<List<string>> ListAsync(string? owner = null) =>
        [.. (await Files.ListAsync(owner is null ? Access.All : Access.Of(owner), null, null, 100, true, default)).Select(f => f.Id)];

    private async Task NothingIsLeftAsync() => (await RowsAsync(), await StoredAsync()).ShouldBe((0, 0));

    private async Task<int> RowsAsync()
    {
        await using var db = _database.CreateContext();
        return await db.Files.CountAsync();
    }

    /// <summary>Contents outside the database, and chunks.</summary>
    private async Task<int> StoredAsync()
    {
        await using var db = _database.CreateContext();
        return await db.Set<FileChunk>().CountAsync() + StoredOutside;
    }

    private long StoredBytes()
    {
        using var db = _database.CreateContext();
        return db.Set<FileChunk>().Sum(c => (long)c.Data.Length) + BytesOutside;
    }

    private sealed class BrokenStream : MemoryStream
    {
        private int _reads;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            _reads++ < 10 ? ValueTask.FromResult(buffer.Length) : throw new IOException("broken off");
    }
}

public sealed class FilesOnDisk() : FileStoreConformance(DatabaseProvider.Sqlite, FileStoreKind.Disk)
{
    [Fact]
    public async Task Only_contents_without_a_row_are_removed_after_a_day()
    {
        var known = await CreateAsync([1]);
        var (stray, young, other) = (Path.Combine(Folder, "file-1"), Path.Combine(Folder, "file-2"), Path.Combine(Folder, "notes.txt"));
        foreach (var path in new[] { stray, young, other })
            await File.WriteAllTextAsync(path, "x");
        File.SetLastWriteTimeUtc(young, new DateTime(2031, 2, 3, 0, 0, 0, DateTimeKind.Utc));

        await Files.RemoveStraysAsync(() => { }, _ => { });

        Directory.GetFiles(Folder).Order(StringComparer.Ordinal)
            .ShouldBe(new[] { young, other, Path.Combine(Folder, known.Id) }.Order(StringComparer.Ordinal));
    }
}

public sealed class FilesInSqlite() : FileStoreConformance(DatabaseProvider.Sqlite, FileStoreKind.Database);

public sealed class FilesInPostgres() : FileStoreConformance(DatabaseProvider.Postgres, FileStoreKind.Database);

/// <summary>On the server of the tests, which verifies signatures and holds the rules of parts.</summary>
public sealed class FilesInS3() : FileStoreConformance(DatabaseProvider.Sqlite, FileStoreKind.S3)
{
    private TestS3 _s3 = null!;

    private protected override int StoredOutside => _s3.Objects.Count + _s3.Uploads.Count;

    private protected override long BytesOutside => _s3.Bytes;

    private protected override int MaxUnstored => TestS3.MinPartBytes + base.MaxUnstored;

    private protected override async Task<Dictionary<string, string?>> PrepareAsync()
    {
        _s3 = await TestS3.StartAsync();
        return _s3.Settings;
    }

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        await _s3.DisposeAsync();
    }
}

/// <summary>On somebody else's server, a package of npm. It neither aborts nor lists uploads, and checks no signature.</summary>
public sealed class FilesInS3rver() : FileStoreConformance(DatabaseProvider.Sqlite, FileStoreKind.S3)
{
    private S3rver _s3 = null!;

    private protected override int StoredOutside => _s3.Objects;

    private protected override long BytesOutside => _s3.Bytes;

    private protected override int MaxUnstored => TestS3.MinPartBytes + base.MaxUnstored;

    private protected override async Task<Dictionary<string, string?>> PrepareAsync()
    {
        _s3 = await S3rver.StartAsync();
        return _s3.Settings;
    }

    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        _s3.Dispose();
    }
}
