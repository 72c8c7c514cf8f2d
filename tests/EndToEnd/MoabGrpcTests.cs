using System.Net;
using System.Net.Http.Headers;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Shouldly;
using TaskQueue.Adapters.Moab.Rpc;
using TaskQueue.Api.Hosting;
using TaskQueue.Tests.Servers;
using Xunit;
using Preview = TaskQueue.Moab.Preview;
using V0 = TaskQueue.Moab.V0;
using V0First = TaskQueue.Moab.V0First;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The services of gRPC with the clients of each version, over a socket without TLS.</summary>
public sealed class MoabGrpcTests(MoabOnSqlite server) : IClassFixture<MoabOnSqlite>
{
    [Fact]
    public void Clients_that_begin_with_HTTP_2_can_be_served() => Http2Preface.IsSupported.ShouldBeTrue();

    [Fact]
    public async Task Check_22_a_client_of_the_preview_that_names_no_attempt()
    {
        using var channel = Channel();
        var client = new Preview.MoabPreviewApi.MoabPreviewApiClient(channel);
        var queue = server.NewName();
        (await client.CreateQueueAsync(new() { Name = queue, KeepaliveTimeoutInSeconds = 15 })).Queue.Version.ShouldBe(1);
        var entry = new Preview.EnqueueRequestEntry
            { Payload = ByteString.CopyFromUtf8("p"), KeepaliveTimeoutInSeconds = 30, ThreadId = "T" };
        var made = (await client.EnqueueAsync(new() { QueueName = queue, Entries = { entry } })).Tasks.Single();

        var task = (await client.DequeueAsync(new() { QueueName = queue, BatchSize = 10 })).Tasks.Single();

        (task.Id, task.QueueName, task.Payload.ToStringUtf8(), task.Attempts, task.ThreadId).ShouldBe((made.Id, queue, "p", 1, "T"));
        await client.ReportStatusAsync(new()
        {
            QueueName = queue,
            Entries = { new Preview.ReportStatusRequestEntry
                { TaskId = task.Id, Status = Preview.ReportStatusRequestEntry.Types.Status.Succeeded } },
        });
        var fault = await Should.ThrowAsync<RpcException>(
            async () => await client.GetTaskAsync(new() { QueueName = queue, TaskId = task.Id }));
        fault.StatusCode.ShouldBe(StatusCode.NotFound);
        MoabGrpcTransport.InfoOf(fault).Metadata["task_id"].ShouldBe(task.Id);
        fault = await Should.ThrowAsync<RpcException>(async () => await client.GetQueueAsync(new() { QueueName = "nobody" }));
        var info = MoabGrpcTransport.InfoOf(fault);
        (fault.StatusCode, info.Reason, info.Domain, info.Metadata["queue_name"])
            .ShouldBe((StatusCode.NotFound, "NOT_FOUND", "evrblk.com", "nobody"));
    }

    [Fact]
    public async Task The_preview_has_its_own_statistics_schedules_and_restarts()
    {
        using var channel = Channel();
        var client = new Preview.MoabPreviewApi.MoabPreviewApiClient(channel);
        var queue = await server.QueueAsync(""","dead_letter_queue_config":{"enable":true}""");
        var id = await server.KillAsync(queue);
        var schedule = new Preview.CreateScheduleRequest
        {
            QueueName = queue, Name = "s", Cron = "0 0 1 1 *", Timezone = "UTC", KeepaliveTimeoutInSeconds = 7, RetryStrategy = new(),
        };

        var created = (await client.CreateScheduleAsync(schedule)).Schedule;

        (created.Timezone, created.KeepaliveTimeoutInSeconds, created.RetryStrategy).ShouldBe(("UTC", 7, new Preview.RetryStrategy()));
        (await client.GetScheduleAsync(new() { QueueName = queue, ScheduleName = "s" })).Schedule.ShouldBe(created);
        var read = await client.GetQueueAsync(new() { QueueName = queue });
        read.Schedules.ShouldBe([created]);
        read.Stats.DeadTasksCount.ShouldBe(1UL);
        await client.RestartTasksAsync(new() { QueueName = queue, TaskIds = { id } });
        (await client.GetQueueAsync(new() { QueueName = queue })).Stats.EnqueuedTasksCount.ShouldBe(1UL);
        (await client.ListQueuesAsync(new())).Queues.Select(q => q.Name).ShouldContain(queue);
        await client.DeleteTasksAsync(new() { QueueName = queue, TaskIds = { id } });
        await client.PurgeQueueAsync(new() { QueueName = queue });
        await client.DeleteQueueAsync(new() { QueueName = queue });
    }

    [Fact]
    public async Task Both_sets_of_field_numbers_of_v0_are_understood()
    {
        using var channel = Channel();
        var (present, first) = (new V0.MoabApi.MoabApiClient(channel), new V0First.MoabApi.MoabApiClient(channel));
        var queue = await server.QueueAsync(""","retry_strategy":{"retry_intervals_in_seconds":[1]}""");

        var one = (await present.EnqueueAsync(new() { QueueName = queue, Entries = { new V0.EnqueueRequestEntry
            { ThreadId = "one", DedupeKey = "k", RetryStrategy = new() { RetryIntervalsInSeconds = { 1, 900 } } } } })).Tasks.Single();
        var two = (await first.EnqueueAsync(new() { QueueName = queue, Entries = { new V0First.EnqueueRequestEntry
            { ThreadId = "two", KeepaliveTimeoutInSeconds = 60, RetryStrategy = new() } } })).Tasks.Single();
        var again = (await present.EnqueueAsync(new() { QueueName = queue, Entries = { new V0.EnqueueRequestEntry
            { DedupeKey = "k", Payload = ByteString.CopyFromUtf8("new"),
                OverwriteOnDuplicate = { V0.EnqueueRequestEntry.Types.OverwriteOnDuplicate.Payload } } } })).Tasks.Single();
        var same = (await first.EnqueueAsync(new() { QueueName = queue, Entries = { new V0First.EnqueueRequestEntry
            { DedupeKey = "k", Payload = ByteString.CopyFromUtf8("newer"),
                OverwriteOnDuplicate = { V0First.EnqueueRequestEntry.Types.OverwriteOnDuplicate.Payload } } } })).Tasks.Single();

        (one.ThreadId, two.ThreadId).ShouldBe(("one", "two"));
        (again.Id, again.Payload.ToStringUtf8()).ShouldBe((one.Id, "new"));
        (same.Id, same.Payload.ToStringUtf8()).ShouldBe((one.Id, "newer"));
        var schedule = (await present.CreateScheduleAsync(new()
            { QueueName = queue, Name = "p", Cron = "0 0 1 1 *", Timezone = "Asia/Tokyo", RetryStrategy = new() })).Schedule;
        var other = (await first.CreateScheduleAsync(new()
            { QueueName = queue, Name = "f", Cron = "0 0 1 1 *", Timezone = "UTC", KeepaliveTimeoutInSeconds = 6 })).Schedule;
        (schedule.Timezone, schedule.RetryStrategy).ShouldBe(("Asia/Tokyo", new V0.RetryStrategy()));
        (other.Timezone, other.KeepaliveTimeoutInSeconds, other.RetryStrategy).ShouldBe(("UTC", 6, null));
        var list = await present.ListSchedulesAsync(new() { QueueName = queue });
        list.Schedules.Select(s => s.Timezone).ShouldBe(["UTC", "Asia/Tokyo"]); // the present numbers, unless the settings say otherwise
        var updated = await present.UpdateScheduleAsync(new()
            { QueueName = queue, ScheduleName = "p", Cron = "0 0 1 1 *", Timezone = "UTC", ExpectedVersion = 1 });
        updated.Schedule.Version.ShouldBe(2);
    }

    [Fact]
    public async Task Entries_of_two_versions_in_one_request_are_refused()
    {
        using var channel = Channel();
        var queue = await server.QueueAsync();
        var request = new V0.EnqueueRequest { QueueName = queue, Entries = { new V0.EnqueueRequestEntry { ThreadId = "T" } } };
        var mixed = new V0First.EnqueueRequest
            { QueueName = queue, Entries = { new V0First.EnqueueRequestEntry { KeepaliveTimeoutInSeconds = 5 } } };
        request.MergeFrom(mixed.ToByteArray());

        var fault = await Should.ThrowAsync<RpcException>(async () => await new V0.MoabApi.MoabApiClient(channel).EnqueueAsync(request));

        (fault.StatusCode, MoabGrpcTransport.InfoOf(fault).Reason).ShouldBe((StatusCode.InvalidArgument, "INVALID_ARGUMENT"));
        (await server.ListAsync(queue)).ShouldBeEmpty();
    }

    [Fact]
    public async Task What_is_no_request_gets_a_status()
    {
        using var channel = Channel();
        var invoker = channel.CreateCallInvoker();
        (await FailAsync(MoabGrpc.V0, "Nothing", [])).ShouldBe(StatusCode.Unimplemented);
        (await FailAsync(MoabGrpc.Preview, "ListTasks", [])).ShouldBe(StatusCode.Unimplemented);
        (await FailAsync("com.evrblk.moab.v9.MoabApi", "Enqueue", [])).ShouldBe(StatusCode.Unimplemented);
        (await FailAsync(MoabGrpc.V0, "GetQueue", [0xFF, 0xFF])).ShouldBe(StatusCode.InvalidArgument);
        // An entry that is cut off.
        (await FailAsync(MoabGrpc.V0, "Enqueue", [0x12, 0x02, 0x0A, 0x7F])).ShouldBe(StatusCode.InvalidArgument);
        (await FailAsync(MoabGrpc.V0, "Enqueue", new byte[5 * 1024 * 1024])).ShouldBe(StatusCode.ResourceExhausted);
        (await server.Http.PostAsync($"/{MoabGrpc.V0}/GetQueue", "{}")).Status.ShouldBe(404); // JSON has the path of the preview

        async Task<StatusCode> FailAsync(string service, string rpc, byte[] message) =>
            (await Should.ThrowAsync<RpcException>(async () => await invoker.AsyncUnaryCall(Raw(service, rpc), null, default, message)))
                .StatusCode;
    }

    [Fact]
    public async Task A_deadline_and_a_client_that_cancels_end_a_call()
    {
        using var channel = Channel();
        var client = new V0.MoabApi.MoabApiClient(channel);
        var queue = await server.QueueAsync();

        var late = await Should.ThrowAsync<RpcException>(async () => await client.GetQueueAsync(
            new() { QueueName = queue }, deadline: TimeProvider.System.GetUtcNow().UtcDateTime.AddTicks(1)));
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        var gone = await Should.ThrowAsync<RpcException>(async () => await client.DequeueAsync(
            new() { QueueName = queue }, cancellationToken: cancelled.Token));

        late.StatusCode.ShouldBe(StatusCode.DeadlineExceeded);
        gone.StatusCode.ShouldBe(StatusCode.Cancelled);
        (await client.GetQueueAsync(new() { QueueName = queue }, deadline: TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(1)))
            .Queue.Name.ShouldBe(queue);
    }

    [Fact]
    public async Task A_client_that_compresses_gets_compressed_responses()
    {
        using var encodings = new Encodings();
        using var channel = GrpcChannel.ForAddress(server.Http.BaseAddress!, new GrpcChannelOptions { HttpHandler = encodings });
        var client = new V0.MoabApi.MoabApiClient(channel);
        var queue = await server.QueueAsync();
        var payload = ByteString.CopyFromUtf8(new string('a', 60_000));

        var made = await client.EnqueueAsync(new() { QueueName = queue, Entries = { new V0.EnqueueRequestEntry { Payload = payload } } },
            new Metadata { { "grpc-internal-encoding-request", "gzip" } });

        made.Tasks.Single().Payload.ShouldBe(payload);
        (await client.DequeueAsync(new() { QueueName = queue })).Tasks.Single().Payload.ShouldBe(payload);
        encodings.Seen.ShouldBe(["gzip", "none"]);
    }

    [Fact]
    public async Task JSON_and_gRPC_share_a_port_and_a_path()
    {
        using var http2 = new HttpClient { BaseAddress = server.Http.BaseAddress, DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        var queue = await server.QueueAsync();
        using var content = new StringContent($$"""{"queue_name":"{{queue}}"}""", new MediaTypeHeaderValue("application/json"));

        using var answer = await http2.PostAsync($"/{MoabGrpc.Preview}/GetQueue", content);

        answer.Version.ShouldBe(HttpVersion.Version20);
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await answer.Content.ReadAsStringAsync()).ShouldContain(queue);
        (await server.Http.PostAsync($"/{MoabGrpc.Preview}/GetQueue", $$"""{"queue_name":"{{queue}}"}""")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task Large_requests_and_responses_pass_the_windows_of_flow_control()
    {
        using var channel = Channel();
        var client = new V0.MoabApi.MoabApiClient(channel);
        var queue = await server.QueueAsync();
        var payload = ByteString.CopyFrom(Enumerable.Range(0, 65_536).Select(i => (byte)i).ToArray());
        var request = new V0.EnqueueRequest { QueueName = queue };
        for (var i = 0; i < 10; i++)
            request.Entries.Add(new V0.EnqueueRequestEntry { Payload = payload });

        // On one connection at once: more than its window has.
        var made = await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ => await client.EnqueueAsync(request)));
        var taken = await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
            await client.DequeueAsync(new() { QueueName = queue, BatchSize = 10, KeepaliveTimeoutInSeconds = 60 })));

        made.Sum(m => m.Tasks.Count).ShouldBe(80);
        taken.SelectMany(t => t.Tasks).Select(t => t.Id).Distinct().Count().ShouldBe(80);
        taken.SelectMany(t => t.Tasks).ShouldAllBe(t => t.Payload.Equals(payload));
    }

    [Fact]
    public async Task A_page_of_tasks_fits_into_what_clients_accept()
    {
        using var channel = Channel(); // with the default limit
        var client = new V0.MoabApi.MoabApiClient(channel);
        var queue = await server.QueueAsync();
        for (var batch = 0; batch < 8; batch++)
            await server.EnqueueAsync(queue, [.. Enumerable.Repeat($$"""{"payload":"{{new string('x', 65_536)}}"}""", 10)]);
        var (ids, pages, token) = (new List<string>(), 0, "");
        do
        {
            var page = await client.ListTasksAsync(new() { QueueName = queue, Limit = 250, PaginationToken = token });
            ids.AddRange(page.Tasks.Select(t => t.Id));
            token = page.NextPaginationToken;
            if (pages++ > 0)
            {
                var back = await client.ListTasksAsync(
                    new() { QueueName = queue, Limit = 250, PaginationToken = page.PreviousPaginationToken });
                back.Tasks[^1].Id.ShouldBe(ids[^(page.Tasks.Count + 1)]);
            }
        }
        while (token.Length > 0);

        pages.ShouldBe(2);
        ids.Distinct().Count().ShouldBe(80);
    }

    [Fact]
    public async Task A_thousand_connections_wait_for_tasks()
    {
        const int Connections = 1_000, Batch = 10;
        var queue = await server.QueueAsync();
        var channels = Enumerable.Range(0, Connections).Select(_ => Channel()).ToList();
        try
        {
            var waiting = channels.ConvertAll(channel => WaitAsync(channel, queue));
            for (var i = 0; i < Connections / Batch; i++)
                await server.EnqueueAsync(queue, [.. Enumerable.Repeat("{}", Batch)]);

            (await Task.WhenAll(waiting)).SelectMany(ids => ids).Distinct().Count().ShouldBe(Connections);
        }
        finally
        {
            channels.ForEach(channel => channel.Dispose());
        }

        static async Task<IEnumerable<string>> WaitAsync(GrpcChannel channel, string queue)
        {
            var client = new V0.MoabApi.MoabApiClient(channel);
            while (true)
            {
                var request = new V0.DequeueRequest { QueueName = queue, KeepaliveTimeoutInSeconds = 60 };
                if ((await client.DequeueAsync(request, Wait(30))).Tasks is { Count: > 0 } tasks)
                    return tasks.Select(t => t.Id);
            }
        }
    }

    [Fact]
    public async Task A_dequeue_whose_client_leaves_takes_nothing()
    {
        using var channel = Channel();
        var client = new V0.MoabApi.MoabApiClient(channel);
        var queue = await server.QueueAsync();
        using var cancelled = new CancellationTokenSource();
        var leaving = client.DequeueAsync(new() { QueueName = queue }, Wait(30), cancellationToken: cancelled.Token).ResponseAsync;
        var late = client.DequeueAsync(new() { QueueName = queue }, Wait(30),
            TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(1)).ResponseAsync;
        (await Should.ThrowAsync<RpcException>(() => late)).StatusCode.ShouldBe(StatusCode.DeadlineExceeded);
        await cancelled.CancelAsync();
        (await Should.ThrowAsync<RpcException>(() => leaving)).StatusCode.ShouldBe(StatusCode.Cancelled);

        // Until the server notices, what it hands out may be lost on the way, as if the client had died with it.
        await Eventually.UntilAsync(
            async () => (await MetricsText.ReadAsync(server.Http)).Sum("http_server_active_requests", ("http_request_method", "POST")) == 0,
            TestHttp.Patience, "the server has noticed");
        var id = await server.EnqueueOneAsync(queue);

        var task = (await client.DequeueAsync(new() { QueueName = queue }, Wait(30))).Tasks.Single();
        (task.Id, task.Attempts).ShouldBe((id, 1));
        var fault = await Should.ThrowAsync<RpcException>(async () => await client.DequeueAsync(new() { QueueName = queue }, Wait(31)));
        fault.StatusCode.ShouldBe(StatusCode.InvalidArgument);
    }

    private static Metadata Wait(int seconds) => new() { { "taskqueue-wait-seconds", $"{seconds}" } };

    /// <summary>A method whose messages are bytes.</summary>
    private static Method<byte[], byte[]> Raw(string service, string rpc)
    {
        var bytes = Marshallers.Create(message => message, message => message);
        return new Method<byte[], byte[]>(MethodType.Unary, service, rpc, bytes, bytes);
    }

    /// <summary>Notes how responses are compressed, which clients do not tell.</summary>
    private sealed class Encodings() : DelegatingHandler(new SocketsHttpHandler())
    {
        public List<string> Seen { get; } = [];

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var response = await base.SendAsync(request, cancellationToken);
            Seen.Add(response.Headers.TryGetValues("grpc-encoding", out var values) ? string.Join(',', values) : "none");
            return response;
        }
    }

    private GrpcChannel Channel() => GrpcChannel.ForAddress(server.Http.BaseAddress!);
}
