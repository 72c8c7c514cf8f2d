using System.Net.Sockets;
using System.Text;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Adapters.Moab.Rpc;
using TaskQueue.Api.Rpc;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using V0 = TaskQueue.Moab.V0;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The ports of gRPC, its health service, and connections that are neither HTTP/1.1 nor HTTP/2.</summary>
public sealed class GrpcHostingTests : IAsyncLifetime
{
    private readonly int _port = TaskQueueProcess.FreePort();
    private TestDatabase _database = null!;
    private TestHost _host = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        _host = await TestHost.StartAsync(_database.ConnectionString, settings: new Dictionary<string, string?>
        {
            ["TaskQueue:Grpc:Urls"] = $"http://127.0.0.1:{_port}", ["Logging:LogLevel:Default"] = "Error",
        });
    }

    public async Task DisposeAsync()
    {
        await _host.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_port_of_its_own_serves_gRPC_and_nothing_else()
    {
        foreach (var address in new[] { _host.Http.BaseAddress!, new Uri($"http://127.0.0.1:{_port}") })
        {
            using var channel = GrpcChannel.ForAddress(address);
            (await new V0.MoabApi.MoabApiClient(channel).ListQueuesAsync(new())).Queues.ShouldNotBeEmpty();
        }

        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{_port}") };
        foreach (var path in new[] { "/queues", "/health/ready", "/" })
            (await http.ReadAsync(path)).Status.ShouldBe(404, path);
        (await http.PostAsync("/moab/ListQueues", "{}")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task The_health_service_tells_what_health_ready_tells()
    {
        using var channel = GrpcChannel.ForAddress(_host.Http.BaseAddress!);
        var client = new Health.HealthClient(channel);
        foreach (var service in new[] { "", MoabGrpc.Preview, MoabGrpc.V0, RpcServices.Tasks, RpcServices.Workers })
            (await client.CheckAsync(new() { Service = service })).Status.ShouldBe(HealthCheckResponse.Types.ServingStatus.Serving);
        (await Should.ThrowAsync<RpcException>(async () => await client.CheckAsync(new() { Service = "other" })))
            .StatusCode.ShouldBe(StatusCode.NotFound);
        using var watch = client.Watch(new());
        (await watch.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
        watch.ResponseStream.Current.Status.ShouldBe(HealthCheckResponse.Types.ServingStatus.Serving);

        var stopping = _host.StopAsync();

        (await watch.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
        watch.ResponseStream.Current.Status.ShouldBe(HealthCheckResponse.Types.ServingStatus.NotServing);
        (await watch.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeFalse();
        await stopping;
    }

    [Fact]
    public async Task The_health_service_tells_of_an_outage_and_its_end()
    {
        using var channel = GrpcChannel.ForAddress(_host.Http.BaseAddress!);
        var client = new Health.HealthClient(channel);
        using var watch = client.Watch(new());
        (await watch.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
        var database = _host.Services.GetRequiredService<DependencyHealth>().Database;

        var next = watch.ResponseStream.MoveNext(CancellationToken.None);
        await Eventually.UntilAsync(
            async () =>
            {
                database.ReportFailure("its disk is full", isRefusal: true);
                return next.IsCompleted && (await client.CheckAsync(new())).Status == HealthCheckResponse.Types.ServingStatus.NotServing;
            },
            TestHttp.Patience, "the outage is told");

        watch.ResponseStream.Current.Status.ShouldBe(HealthCheckResponse.Types.ServingStatus.NotServing);
        (await watch.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
        watch.ResponseStream.Current.Status.ShouldBe(HealthCheckResponse.Types.ServingStatus.Serving);
    }

    [Theory]
    [InlineData("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n", "403")] // shorter than the preface; it names no host
    [InlineData("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\nGET /nowhere HTTP/1.1\r\n\r\n", "200 OK")]
    public async Task Requests_of_HTTP_1_arrive_at_once(string requests, string status)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", _host.Http.BaseAddress!.Port);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(requests));

        using var reader = new StreamReader(stream, Encoding.ASCII);
        (await reader.ReadLineAsync())!.ShouldStartWith($"HTTP/1.1 {status}");
    }

    [Theory]
    [InlineData("GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "200 OK")]
    [InlineData("PROPFIND / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "4")]
    [InlineData("PRI * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "4")]
    public async Task Requests_of_HTTP_1_arrive_byte_by_byte(string request, string status)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", _host.Http.BaseAddress!.Port);
        await using var stream = client.GetStream();
        client.NoDelay = true;
        foreach (var value in Encoding.ASCII.GetBytes(request))
            await stream.WriteAsync(new[] { value });

        using var reader = new StreamReader(stream, Encoding.ASCII);
        (await reader.ReadLineAsync())!.ShouldStartWith($"HTTP/1.1 {status}");
    }

    [Fact]
    public async Task A_connection_that_ends_within_the_preface_harms_nobody()
    {
        for (var length = 0; length < 24; length += 6)
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", _host.Http.BaseAddress!.Port);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..length]));
        }

        (await _host.Http.ReadAsync("/health/live")).Status.ShouldBe(200);
    }
}
