using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Faults of a storage of contents, wherever they happen, and those that are none of it.</summary>
public sealed class CheckedFileContentsTests
{
    private static readonly DateTime Start = new(2031, 2, 3, 4, 5, 6, DateTimeKind.Utc);

    private readonly SetTime _time = new(Start);
    private readonly Broken _broken = new();
    private readonly DependencyHealth _health;
    private readonly CheckedFileContents _contents;

    public CheckedFileContentsTests()
    {
        _health = new DependencyHealth(_time, NullLogger<DependencyHealth>.Instance);
        _contents = new CheckedFileContents(_broken, _health.Files);
    }

    public static TheoryData<string> Places =>
        ["open write", "write", "close", "open read", "read", "delete", "list", "unfinished", "probe"];

    [Theory]
    [MemberData(nameof(Places))]
    public async Task A_fault_of_the_storage_is_one_exception_and_an_outage(string place)
    {
        foreach (var fault in new Exception[] { new IOException("full"), new UnauthorizedAccessException("full"),
            new FileStoreRefusedException("full") })
        {
            (_broken.Place, _broken.Fault) = (place, fault);
            (await Should.ThrowAsync<FileStoreException>(UseAllAsync)).InnerException.ShouldBe(fault);
            _health.Files.IsOn.ShouldBeTrue();
            _health.TryHandle(new FileStoreException(fault)).ShouldBeTrue("it is logged already");
            _health.Database.IsOn.ShouldBeFalse();
        }

        _broken.Fault = null;
        _time.Now = Start.AddMinutes(1);
        await UseAllAsync();
        _health.Files.IsOn.ShouldBeFalse("it works again");
    }

    [Theory]
    [MemberData(nameof(Places))]
    public async Task A_missing_file_and_the_database_are_none_of_its_faults(string place)
    {
        foreach (var fault in new Exception[] { new FileNotFoundException("gone"), new NpgsqlException("away"),
            new InvalidDataException("altered") })
        {
            (_broken.Place, _broken.Fault) = (place, fault);
            (await Should.ThrowAsync<Exception>(UseAllAsync)).ShouldBe(fault);
            _health.Files.IsOn.ShouldBeFalse();
        }
    }

    [Fact]
    public async Task With_its_folder_a_file_is_gone()
    {
        (_broken.Place, _broken.Fault) = ("open read", new DirectoryNotFoundException("gone"));
        await Should.ThrowAsync<FileNotFoundException>(UseAllAsync);
        (_broken.Place, _broken.Fault) = ("open write", new DirectoryNotFoundException("gone"));
        await Should.ThrowAsync<FileStoreException>(UseAllAsync);
    }

    private async Task UseAllAsync()
    {
        await using (var write = _contents.OpenWrite("a"))
            await write.WriteAsync(new byte[1]);
        await using (var read = await _contents.OpenReadAsync(new FileRecord(), default))
            _ = await read.ReadAtLeastAsync(new byte[1], 1, throwOnEndOfStream: false);
        await _contents.DeleteAsync("a");
        await foreach (var id in _contents.BeforeAsync(Start))
            id.ShouldBe("b");
        await _contents.RemoveUnfinishedAsync(Start);
        await _contents.ProbeAsync(default);
    }

    private sealed class Broken : IFileContents
    {
        public string? Place { get; set; }

        public Exception? Fault { get; set; }

        public Stream OpenWrite(string id) => Try("open write", (Stream)new BrokenStream(this));

        public Task<Stream> OpenReadAsync(FileRecord file, CancellationToken cancellationToken) =>
            Task.FromResult(Try("open read", (Stream)new BrokenStream(this)));

        public Task DeleteAsync(string id) => Task.FromResult(Try("delete", 1));

        public IAsyncEnumerable<string> BeforeAsync(DateTime time) => AsyncEnumerable.Repeat("b", 1).Select(id => Try("list", id));

        public async Task<int> RemoveUnfinishedAsync(DateTime time) => await Task.FromResult(Try("unfinished", 1));

        public async Task ProbeAsync(CancellationToken cancellationToken) => await Task.FromResult(Try("probe", 1));

        private T Try<T>(string place, T result) => place == Place && Fault is { } fault ? throw fault : result;

        private sealed class BrokenStream(Broken broken) : AsyncStream
        {
            public override bool CanRead => true;

            public override bool CanWrite => true;

            public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
                await Task.FromResult(broken.Try("read", 1));

            public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
                await Task.FromResult(broken.Try("write", 1));

            public override async ValueTask DisposeAsync()
            {
                await Task.FromResult(broken.Try("close", 1));
                await base.DisposeAsync();
            }
        }
    }
}
