using System.Buffers.Binary;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using Grpc.Net.Client;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Adapters.Moab.Rpc;
using TaskQueue.Engine.Memory;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using V0 = TaskQueue.Moab.V0;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What callers of gRPC may consume of a process.</summary>
public sealed partial class GrpcMemoryTests : IAsyncLifetime
{
    private const string Health = "/grpc.health.v1.Health/Check", Enqueue = $"/{MoabGrpc.V0}/Enqueue";
    private const string DeadlineExceeded = "4", ResourceExhausted = "8";
    private const int MiB = 1024 * 1024;

    private readonly HttpClient _http = new();
    private TestDatabase _database = null!;
    private TestHost _host = null!;

    private MemoryBudget Budget => _host.Services.GetRequiredService<MemoryBudget>();

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        _host = await TestHost.StartAsync(_database.ConnectionString,
            settings: new Dictionary<string, string?>
            {
                ["Logging:LogLevel:Default"] = "Error", ["TaskQueue:Limits:MemoryWaitSeconds"] = "1",
                ["TaskQueue:Limits:MinResponseBytesPerSecond"] = "1000000",
            },
            services: services => services.AddSingleton<TimeProvider>(new HastyTime()));
    }

    public async Task DisposeAsync()
    {
        _http.Dispose();
        await _host.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Theory]
    [InlineData(Health)]
    [InlineData(Enqueue)]
    [InlineData("/taskqueue.v1.Tasks/EnqueueMany")]
    [InlineData("/taskqueue.v1.Workers/Claim")]
    public async Task A_small_message_does_not_become_a_large_one(string path)
    {
        using var compressed = new MemoryStream();
        await using (var gzip = new GZipStream(compressed, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            for (var i = 0; i < 64; i++)
                await gzip.WriteAsync(new byte[MiB]);
        }

        var status = await StatusAsync(path, new ByteArrayContent([.. Prefix(1, compressed.Length), .. compressed.ToArray()]));

        status.ShouldBe(ResourceExhausted);
        Budget.Bodies.Used.ShouldBe(0);
    }

    [Fact]
    public async Task The_health_service_which_is_open_reads_no_large_message() =>
        (await StatusAsync(Health, new ByteArrayContent([.. Prefix(0, 4096), .. new byte[4096]]))).ShouldBe(ResourceExhausted);

    [Fact]
    public async Task A_message_that_does_not_arrive_holds_no_memory_and_is_refused()
    {
        using var over = new CancellationTokenSource();
        using var stalled = new StalledContent(Prefix(0, 4 * MiB), over.Token);
        var answer = StatusAsync(Enqueue, stalled);
        var most = 0L;

        await Eventually.UntilAsync(
            () =>
            {
                most = Math.Max(most, Budget.Bodies.Used);
                return Task.FromResult(answer.IsCompleted);
            },
            TestHttp.Patience, "the server ends it");

        (await answer).ShouldBe(DeadlineExceeded);
        most.ShouldBe(0);
        await over.CancelAsync();
    }

    [Fact]
    public async Task A_dequeue_takes_no_more_than_its_client_accepts()
    {
        const int Tasks = 10;
        using var channel = GrpcChannel.ForAddress(_host.Http.BaseAddress!); // with the default limit of 4 MiB
        var client = new V0.MoabApi.MoabApiClient(channel);
        await client.CreateQueueAsync(new() { Name = "large", KeepaliveTimeoutInSeconds = 60 });
        var data = new string('x', 500_000);
        for (var i = 0; i < Tasks; i++)
            await _host.Http.SubmitAsync(new { action = "a", queue = "large", data });

        var ids = new HashSet<string>();
        await Eventually.UntilAsync(
            async () =>
            {
                var taken = await client.DequeueAsync(new() { QueueName = "large", BatchSize = Tasks });
                ids.UnionWith(taken.Tasks.Select(t => t.Id));
                taken.Tasks.ShouldAllBe(t => t.Attempts == 1);
                return ids.Count == Tasks;
            },
            TestHttp.Patience, "all are taken");
    }

    /// <summary>What is in front of a message.</summary>
    private static byte[] Prefix(byte isCompressed, long length)
    {
        var prefix = new byte[5];
        prefix[0] = isCompressed;
        BinaryPrimitives.WriteUInt32BigEndian(prefix.AsSpan(1), (uint)length);
        return prefix;
    }

    private async Task<string> StatusAsync(string path, HttpContent content)
    {
        content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_host.Http.BaseAddress!, path))
        {
            Content = content, Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.Add("grpc-encoding", "gzip");
        request.Headers.Add("TE", "trailers");
        using var response = await _http.SendAsync(request);
        await response.Content.ReadAsByteArrayAsync();
        return (response.Headers.TryGetValues("grpc-status", out var values) ? values
            : response.TrailingHeaders.GetValues("grpc-status")).Single();
    }

    /// <summary>A body of which only the beginning is sent.</summary>
    private sealed class StalledContent(byte[] beginning, CancellationToken over) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(beginning);
            await stream.FlushAsync();
            await Task.Delay(Timeout.Infinite, over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
