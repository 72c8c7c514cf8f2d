using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Files;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>File contents encrypted at rest.</summary>
public sealed class EncryptedFilesTests : IAsyncLifetime
{
    private const int Frame = 64 * 1024;
    private static readonly string Key1 = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
    private static readonly string Key2 = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    private TestDatabase _database = null!;
    private TestS3 _s3 = null!;

    public static TheoryData<FileStoreKind> Stores => [FileStoreKind.Disk, FileStoreKind.Database, FileStoreKind.S3];

    public async Task InitializeAsync() =>
        (_database, _s3) = (await TestDatabase.CreateAsync(DatabaseProvider.Sqlite), await TestS3.StartAsync());

    public async Task DisposeAsync()
    {
        await _database.DisposeAsync();
        await _s3.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Contents_of_any_length_are_read_back_whole_and_in_parts(FileStoreKind store)
    {
        await using var engine = Engine(store, "k1", ("k1", Key1));
        foreach (var length in new[] { 0, 1, Frame - 1, Frame, Frame + 1, (2 * Frame) - 1, 2 * Frame, (5 * Frame) + 17 })
        {
            var content = RandomNumberGenerator.GetBytes(length);
            var file = await CreateAsync(engine, content);
            file.Bytes.ShouldBe(length);
            (await ReadAsync(engine, file)).ShouldBe(content);
            await using var stream = await engine.Files.OpenReadAsync(file, default);
            (stream.Length, stream.CanSeek).ShouldBe((length, true));
            foreach (var from in new[] { 0, 1, Frame - 1, Frame, Frame + 1, length - 1 }.Where(f => f >= 0 && f < length).Reverse())
            {
                var part = new byte[Math.Min(Frame + 3, length - from)];
                stream.Position = from;
                await stream.ReadExactlyAsync(part);
                part.ShouldBe(content[from..(from + part.Length)]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Stored_bytes_are_encrypted_and_contents_stored_with_other_settings_stay_readable(FileStoreKind store)
    {
        var marker = "the-marker-of-this-test"u8.ToArray();
        byte[] content = [.. marker, .. RandomNumberGenerator.GetBytes(Frame), .. marker];
        byte[] tricky = [.. FileHeader.Magic, .. marker];
        byte[] shorter = [.. FileHeader.Magic[..7]];
        var files = new List<(FileRecord File, byte[] Content)>();
        foreach (var settings in new (string?, (string, string)[])[] { (null, []), ("k1", [("k1", Key1)]),
            ("k2", [("k1", Key1), ("k2", Key2)]), (null, [("k1", Key1), ("k2", Key2)]) })
        {
            await using var engine = Engine(store, settings.Item1, settings.Item2);
            foreach (var bytes in new[] { content, tricky, shorter })
            {
                var file = await CreateAsync(engine, bytes);
                files.Add((file, bytes));
                (await StoredAsync(store, file.Id)).AsSpan().IndexOf(marker)
                    .ShouldBe(settings.Item1 is null
                        ? bytes.AsSpan().IndexOf(marker) is var at && at >= 0 && bytes == tricky ? 64 + at : at
                        : -1);
            }

            foreach (var (file, bytes) in files)
                (await ReadAsync(engine, file)).ShouldBe(bytes);
        }

        await using var without = Engine(store, "k2", ("k2", Key2));
        (await Should.ThrowAsync<UnreadableDataException>(ReadAsync(without, files[3].File))).Message.ShouldContain("'k1'");
        await using var wrong = Engine(store, "k1", ("k1", Key2));
        (await Should.ThrowAsync<UnreadableDataException>(ReadAsync(wrong, files[3].File))).Message.ShouldContain("'k1'");
    }

    [Fact]
    public async Task Altered_swapped_truncated_or_moved_contents_are_refused()
    {
        await using var engine = Engine(FileStoreKind.Disk, "k1", ("k1", Key1));
        var (one, other) = (await CreateAsync(engine, new byte[3 * Frame]), await CreateAsync(engine, new byte[3 * Frame]));
        var stored = await StoredAsync(FileStoreKind.Disk, one.Id);
        var frame = Frame + 28;

        await RefusedAsync([.. stored[..100], (byte)(stored[100] ^ 1), .. stored[101..]]);
        await RefusedAsync([.. stored[..64], .. stored[(64 + frame)..(64 + (2 * frame))], .. stored[64..(64 + frame)],
            .. stored[(64 + (2 * frame))..]]);
        await RefusedAsync(await StoredAsync(FileStoreKind.Disk, other.Id));
        await RefusedAsync(stored[..^1]);
        await RefusedAsync(stored[..(64 + (2 * frame))], bytes: 2 * Frame); // a shorter file that ends with a whole frame

        async Task RefusedAsync(byte[] bytesOnDisk, int bytes = 3 * Frame)
        {
            await File.WriteAllBytesAsync(Path.Combine(_database.Folder, one.Id), bytesOnDisk);
            one.Bytes = bytes;
            await Should.ThrowAsync<UnreadableDataException>(ReadAsync(engine, one));
            one.Bytes = 3 * Frame;
            await File.WriteAllBytesAsync(Path.Combine(_database.Folder, one.Id), stored);
            (await ReadAsync(engine, one)).Length.ShouldBe(3 * Frame);
        }
    }

    private TestEngine Engine(FileStoreKind store, string? active, params (string Id, string Key)[] keys)
    {
        var settings = store == FileStoreKind.S3 ? _s3.Settings : [];
        (settings["TaskQueue:Files:Store"], settings["TaskQueue:Encryption:ActiveKeyId"]) = (store.ToString(), active);
        for (var i = 0; i < keys.Length; i++)
            (settings[$"TaskQueue:Encryption:Keys:{i}:Id"], settings[$"TaskQueue:Encryption:Keys:{i}:Key"]) = keys[i];
        return new TestEngine(_database.Address, settings: settings);
    }

    private static async Task<FileRecord> CreateAsync(TestEngine engine, byte[] content) =>
        await engine.Files.CreateAsync("ann", "batch", "in.jsonl", new MemoryStream(content), long.MaxValue, default);

    private static async Task<byte[]> ReadAsync(TestEngine engine, FileRecord file)
    {
        await using var stream = await engine.Files.OpenReadAsync(file, default);
        using var content = new MemoryStream();
        await stream.CopyToAsync(content);
        return content.ToArray();
    }

    private async Task<byte[]> StoredAsync(FileStoreKind store, string id)
    {
        if (store == FileStoreKind.Disk)
            return await File.ReadAllBytesAsync(Path.Combine(_database.Folder, id));
        if (store == FileStoreKind.S3)
            return _s3.Objects[$"q/{id}"].Content;
        await using var db = _database.CreateContext();
        return [.. (await db.Set<FileChunk>().Where(c => c.FileId == id).OrderBy(c => c.Number).ToListAsync()).SelectMany(c => c.Data)];
    }
}
