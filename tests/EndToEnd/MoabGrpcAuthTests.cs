extern alias grpc;

using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Shouldly;
using TaskQueue.Adapters.Moab.Wire;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using Native = grpc::TaskQueue.Rpc.V1;
using V0 = TaskQueue.Moab.V0;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Callers of gRPC: keys and tokens as metadata, and signatures as Moab's clients make them.</summary>
public sealed class MoabGrpcAuthTests : IAsyncLifetime
{
    private const string Alfa = "key_alfa_1", Bravo = "key_bravo_1", Reader = "key_bravo_2";

    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly byte[] _secret = RandomNumberGenerator.GetBytes(32);
    private TestDatabase _database = null!;
    private TestHost _host = null!;
    private GrpcChannel _channel = null!;
    private V0.MoabApi.MoabApiClient _client = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var settings = AuthServer.Settings();
        foreach (var (index, id, scope) in new[] { (7, Alfa, "admin"), (8, Bravo, "admin"), (9, Reader, "read") })
        {
            var key = $"TaskQueue:Auth:ApiKeys:{index}";
            (settings[$"{key}:Name"], settings[$"{key}:Scopes:0"], settings[$"{key}:SigningId"]) = (id, scope, id);
            if (id == Alfa)
                settings[$"{key}:SigningPublicKey"] = _key.ExportSubjectPublicKeyInfoPem();
            else
                settings[$"{key}:SigningSecret"] = Convert.ToBase64String(_secret);
        }

        _host = await TestHost.StartAsync(_database.ConnectionString, settings: settings);
        _channel = GrpcChannel.ForAddress(_host.Http.BaseAddress!);
        _client = new V0.MoabApi.MoabApiClient(_channel);
    }

    public async Task DisposeAsync()
    {
        _channel.Dispose();
        await _host.DisposeAsync();
        await _database.DisposeAsync();
        _key.Dispose();
    }

    [Fact]
    public async Task Keys_and_tokens_are_metadata()
    {
        await _client.CreateQueueAsync(Queue("a"), Bearer(TestKeys.Of("key-admin")));
        await _client.CreateQueueAsync(Queue("b"), Bearer(AuthServer.Token(AuthServer.Claims("admin"))));

        (await StatusAsync(Queue("c"), Bearer(TestKeys.Of("key-read")))).ShouldBe((StatusCode.PermissionDenied, "PERMISSION_DENIED"));
        (await StatusAsync(Queue("c"), Bearer("wrong"))).ShouldBe((StatusCode.Unauthenticated, "UNAUTHENTICATED"));
        (await StatusAsync(Queue("c"), [])).ShouldBe((StatusCode.Unauthenticated, "UNAUTHENTICATED"));
        (await _client.ListQueuesAsync(new(), Bearer(TestKeys.Of("key-read")))).Queues.Select(q => q.Name).ShouldNotContain("c");
    }

    [Theory]
    [InlineData(Alfa, null)]
    [InlineData(Bravo, null)]
    [InlineData(Bravo, "gzip")]
    public async Task Signed_requests_are_accepted(string id, string? encoding)
    {
        var request = Queue($"{id}{encoding}");

        var made = await _client.CreateQueueAsync(request, Signed(id, "CreateQueue", request, encoding: encoding));

        made.Queue.Name.ShouldBe(request.Name);
        var name = new V0.GetQueueRequest { QueueName = request.Name };
        (await _client.GetQueueAsync(name, Signed(Reader, "GetQueue", name))).Queue.Name.ShouldBe(request.Name);
    }

    [Fact]
    public async Task A_signature_covers_a_message_that_is_larger_than_the_windows_of_flow_control()
    {
        var queue = Queue("large");
        await _client.CreateQueueAsync(queue, Signed(Bravo, "CreateQueue", queue));
        var request = new V0.EnqueueRequest { QueueName = queue.Name };
        for (var i = 0; i < 10; i++)
            request.Entries.Add(new V0.EnqueueRequestEntry { Payload = ByteString.CopyFrom(RandomNumberGenerator.GetBytes(60_000)) });
        var headers = Signed(Bravo, "Enqueue", request);

        (await _client.EnqueueAsync(request, headers)).Tasks.Count.ShouldBe(10);

        var other = request.Clone();
        other.Entries[9].Payload = ByteString.CopyFrom(RandomNumberGenerator.GetBytes(60_000));
        (await Should.ThrowAsync<RpcException>(async () => await _client.EnqueueAsync(other, headers)))
            .StatusCode.ShouldBe(StatusCode.Unauthenticated);
    }

    [Fact]
    public async Task A_client_of_JavaScript_runs_tasks_and_signs()
    {
        var folder = Repository.Clients;

        using var node = new Command("node", [Path.Combine(folder, "moab.mjs"), _host.Http.BaseAddress!.Authority,
            Repository.FileAt("src", "Adapters", "Moab", "Protos", "moab_v0.proto"), TestKeys.Of("key-admin"), Bravo,
            Convert.ToBase64String(_secret)]);
        (await node.WaitAsync(TimeSpan.FromSeconds(90))).ShouldBe(0, node.Output);

        var said = JsonDocument.Parse(node.Output.Trim().Split('\n')[^1]).RootElement;
        var taken = said.GetProperty("taken").EnumerateArray().ShouldHaveSingleItem();
        (taken.Text("id"), taken.Text("payload"), taken.Whole("attempts"), taken.Text("thread_id"))
            .ShouldBe((said.Text("id"), """{"text":"é"}""", 1, "T"));
        said.GetProperty("created").GetProperty("retry_strategy").GetRawText().ShouldBe("""{"retry_intervals_in_seconds":["1"]}""");
        said.Whole("duplicates").ShouldBe(0);
        said.GetProperty("reported").EnumerateArray().ShouldHaveSingleItem().Text("result")!.ShouldEndWith("OK");
        said.GetProperty("waited").EnumerateArray().ShouldHaveSingleItem().GetBoolean().ShouldBeTrue();
        (said.GetProperty("stats").Text("processed_tasks_count"), said.GetProperty("stats").Text("in_progress_tasks_count"))
            .ShouldBe(("1", "1"));
        foreach (var (what, status) in new[] { ("gone", StatusCode.NotFound), ("forged", StatusCode.Unauthenticated) })
        {
            var fault = said.GetProperty(what);
            fault.Whole("code").ShouldBe((int)status);
            var details = WireStatus.Parser.ParseFrom(Convert.FromBase64String(fault.Text("status")!));
            (details.Code, details.Message).ShouldBe(((int)status, fault.Text("message")));
        }
    }

    [Theory]
    [InlineData(Alfa)]
    [InlineData(Bravo)]
    public async Task Signatures_that_do_not_fit_are_refused(string id)
    {
        var request = Queue("refused");
        foreach (var (what, headers) in new[]
        {
            ("another message", Signed(id, "CreateQueue", Queue("other"))),
            ("another RPC", Signed(id, "UpdateQueue", request)),
            ("another key", Signed(id == Alfa ? Bravo : Alfa, "CreateQueue", request, named: id)),
            ("unknown key", Signed(id, "CreateQueue", request, named: "key_bravo_9")),
            ("six minutes ago", Signed(id, "CreateQueue", request, seconds: -360)),
            ("in six minutes", Signed(id, "CreateQueue", request, seconds: 360)),
        })
            (await StatusAsync(request, headers)).ShouldBe((StatusCode.Unauthenticated, "UNAUTHENTICATED"), what);

        (await StatusAsync(request, Signed(Reader, "CreateQueue", request))).ShouldBe((StatusCode.PermissionDenied, "PERMISSION_DENIED"));
        (await _host.Http.PostAsync("/moab/GetQueue", """{"queue_name":"refused"}""")).Status.ShouldBe(401);
    }

    [Fact]
    public async Task A_signature_is_for_Moabs_services_only()
    {
        var request = new Native.EnqueueRequest { Task = new Native.NewTask { Name = "a" } };
        var client = new Native.Tasks.TasksClient(_channel);

        (await Should.ThrowAsync<RpcException>(async () => await client.EnqueueAsync(request, Signed(Bravo, "Enqueue", request))))
            .StatusCode.ShouldBe(StatusCode.Unauthenticated);
        (await client.EnqueueAsync(request, Bearer(TestKeys.Of("key-admin")))).Id.ShouldNotBeEmpty();
    }

    private static V0.CreateQueueRequest Queue(string name) => new() { Name = name, KeepaliveTimeoutInSeconds = 15 };

    private static Metadata Bearer(string token) => new() { { "authorization", $"Bearer {token}" } };

    private async Task<(StatusCode Status, string Reason)> StatusAsync(V0.CreateQueueRequest request, Metadata headers)
    {
        var fault = await Should.ThrowAsync<RpcException>(async () => await _client.CreateQueueAsync(request, headers));
        return (fault.StatusCode, MoabGrpcTransport.InfoOf(fault).Reason);
    }

    /// <summary>Signs as Moab's clients do.</summary>
    private Metadata Signed(string id, string rpc, IMessage request, string? named = null, int seconds = 0, string? encoding = null)
    {
        var time = TimeProvider.System.GetUtcNow().AddSeconds(seconds);
        var stamp = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(stamp, time.ToUnixTimeSeconds());
        byte[] signed = [.. stamp, .. Encoding.ASCII.GetBytes($"Moab.{rpc}"), .. request.ToByteArray()];
        var day = Encoding.ASCII.GetBytes(time.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture));
        var signature = id == Alfa
            ? Convert.ToBase64String(_key.SignData(signed, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence))
            : Convert.ToHexStringLower(HMACSHA256.HashData(SHA256.HashData([.. day, .. _secret]), signed));
        var headers = new Metadata
        {
            { "evrblk-api-key-id", named ?? id }, { "evrblk-timestamp", $"{time.ToUnixTimeSeconds()}" }, { "evrblk-signature", signature },
        };
        if (encoding is not null)
            headers.Add("grpc-internal-encoding-request", encoding);
        return headers;
    }
}
