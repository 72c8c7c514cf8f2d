using System.Net.Sockets;
using System.Security.Authentication;
using Shouldly;
using TaskQueue.Api.Hosting;
using TaskQueue.Engine;
using TaskQueue.Engine.Files;
using TaskQueue.Storage.S3;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Which faults of S3 refuse a start: those that time does not mend.</summary>
public sealed class S3FaultsTests
{
    private readonly S3Faults _faults = new(new S3Options { Bucket = "files", Endpoint = "https://s3.example.com" });

    [Theory]
    [InlineData(SocketError.HostNotFound, true)]
    [InlineData(SocketError.TryAgain, false)]
    [InlineData(SocketError.NoData, false)]
    public void Only_a_name_that_does_not_exist_is_refused(SocketError error, bool isRefused) =>
        IsRefused(new HttpRequestException(HttpRequestError.NameResolutionError, null, new SocketException((int)error)))
            .ShouldBe(isRefused);

    [Fact]
    public void Of_TLS_only_a_certificate_is_refused()
    {
        IsRefused(new HttpRequestException(HttpRequestError.SecureConnectionError, null, new AuthenticationException("untrusted")))
            .ShouldBeTrue();
        IsRefused(new HttpRequestException(HttpRequestError.SecureConnectionError, null, new IOException("cut off"))).ShouldBeFalse();
    }

    [Fact]
    public async Task A_start_waits_for_a_file_store_only_so_long()
    {
        (await StartupChecks.ProbeAsync(new Silent(), TimeSpan.FromMilliseconds(100), CancellationToken.None)
            .WaitAsync(TimeSpan.FromSeconds(20))).ShouldBe("it does not answer within 0.1 s");
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() =>
            StartupChecks.ProbeAsync(new Silent(), TimeSpan.FromMinutes(1), stop.Token));
    }

    private bool IsRefused(Exception fault)
    {
        var translated = _faults.Translate(fault, CancellationToken.None);
        (translated is IOException).ShouldBeTrue();
        return translated is FileStoreRefusedException;
    }

    /// <summary>A storage that never answers, and knows no token.</summary>
    private sealed class Silent : IFileContents
    {
        public Stream OpenWrite(string id) => Stream.Null;

        public Task<Stream> OpenReadAsync(FileRecord file, CancellationToken cancellationToken) => Task.FromResult(Stream.Null);

        public Task DeleteAsync(string id) => Task.CompletedTask;

        public IAsyncEnumerable<string> BeforeAsync(DateTime time) => AsyncEnumerable.Empty<string>();

        public Task ProbeAsync(CancellationToken cancellationToken) => new TaskCompletionSource().Task;
    }
}
