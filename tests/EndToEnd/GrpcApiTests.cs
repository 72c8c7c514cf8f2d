extern alias grpc;

using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using grpc::TaskQueue.Rpc.V1;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;
using TaskStatus = grpc::TaskQueue.Rpc.V1.TaskStatus;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The native API over gRPC: tasks, heartbeats and reports, with the errors of HTTP.</summary>
public abstract partial class GrpcApiTests : IDisposable
{
    private static readonly string[] Tags = ["t"];

    private readonly Stack _stack;
    private readonly GrpcClient _client;
    private readonly string _queue = $"g{Guid.NewGuid():N}";

    protected GrpcApiTests(Stack stack)
    {
        _stack = stack;
        _client = new GrpcClient(stack.Http.BaseAddress!);
    }

    public sealed class OnSqlite(SqliteStack stack) : GrpcApiTests(stack), IClassFixture<SqliteStack>;

    public sealed class OnPostgresAndRabbitMq(ServersStack stack) : GrpcApiTests(stack), IClassFixture<ServersStack>
    {
        [Fact]
        public async Task A_queue_that_becomes_a_push_queue_ends_the_claim_and_refuses_others()
        {
            using var claim = await _client.ClaimAsync(_queue, credit: 1, wait: 1);
            (await claim.NextAsync()).ShouldBeTrue();

            (await Http.PutAsync($"/queues/{_queue}", new { delivery = "push" })).Status.ShouldBe(201);

            (await GrpcClient.RefusedAsync(claim.RestAsync)).Code.ShouldBe("push_queue");
            using var another = await _client.ClaimAsync(_queue, credit: 1);
            var (status, text, code, http) = await GrpcClient.RefusedAsync(another.RestAsync);
            (status, code, http).ShouldBe((StatusCode.FailedPrecondition, "push_queue", 409));
            text.ShouldContain("cannot be claimed from");
        }
    }

    private HttpClient Http => _stack.Http;

    public void Dispose()
    {
        _client.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_task_has_the_options_that_were_sent()
    {
        var (id, due) = (Guid.NewGuid(), TimeProvider.System.GetUtcNow().AddHours(1));
        var answer = await _client.Tasks.EnqueueAsync(new EnqueueRequest
        {
            Task = new NewTask
            {
                Id = id.ToString(), Name = "resize", Queue = $"{_queue}:2", Data = GrpcClient.Json(new { width = 10 }),
                Priority = Priority.High, ScheduledAt = Timestamp.FromDateTimeOffset(due),
                ExpiresAt = Timestamp.FromDateTimeOffset(due.AddHours(1)), MaxAttempts = 7, DedupeKey = "d", OrderingKey = "o",
                LeaseSeconds = 33, Retry = new Retry { Intervals = new Intervals { Seconds = { 1, 2 } } },
                CallbackUrl = "https://shop.example/hook", Tags = { "x", "y" },
            },
        });

        (answer.Id, answer.Result).ShouldBe((id.ToString(), EnqueueResult.Queued));
        var task = await Http.TaskAsync(id);
        (task.Text("queue"), task.Whole("tier"), task.Text("name"), task.Text("priority")).ShouldBe((_queue, 2, "resize", "high"));
        (task.Whole("max_attempts"), task.Text("dedupe_key"), task.Text("ordering_key")).ShouldBe((7, "d", "o"));
        task.GetProperty("tags").EnumerateArray().Select(t => t.GetString()).ShouldBe(["x", "y"]);
        task.GetProperty("payload").GetProperty("data").Whole("width").ShouldBe(10);
        task.GetProperty("due_at").GetDateTimeOffset().ShouldBe(due, TimeSpan.FromMilliseconds(1));
        var same = await _client.Tasks.EnqueueAsync(new() { Task = new() { Name = "resize", Queue = $"{_queue}:2", DedupeKey = "d" } });
        (same.Id, same.Result).ShouldBe((id.ToString(), EnqueueResult.Duplicate));
        var changed = await _client.Tasks.EnqueueAsync(new()
        {
            Task = new() { Name = "new", Queue = $"{_queue}:2", DedupeKey = "d", Overwrite = { OverwriteField.Payload } },
        });
        (changed.Id, changed.Result).ShouldBe((id.ToString(), EnqueueResult.Updated));
    }

    [Fact]
    public async Task Get_shows_what_HTTP_shows()
    {
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue, data = new { x = 1 }, tags = Tags });
        var claimed = (await Http.ClaimAsync(_queue)).Single();
        await Http.TellAsync("heartbeat", new { id, attempt = claimed.Whole("attempt"), progress = new { done = 1 } });
        await Http.TellAsync("report", new { id, attempt = claimed.Whole("attempt"), outcome = "completed", result = new { y = 2 } });

        var shown = await Http.TaskAsync(id);
        var task = await _client.Tasks.GetAsync(new GetRequest { Id = id.ToString() });

        (task.Id, task.Queue, task.Status, task.Attempt, task.MaxAttempts).ShouldBe((id.ToString(), _queue, TaskStatus.Completed, 1, 4));
        task.Payload.ToStringUtf8().ShouldBe(shown.GetProperty("payload").GetRawText());
        task.Result.ToStringUtf8().ShouldBe(shown.GetProperty("result").GetRawText());
        task.Progress.ToStringUtf8().ShouldBe(shown.GetProperty("progress").GetRawText());
        task.Tags.ShouldBe(["t"]);
        task.CreatedAt.ToDateTimeOffset().ShouldBe(shown.GetProperty("created_at").GetDateTimeOffset());
        task.Timeline.Select(s => s.Event)
            .ShouldBe(shown.GetProperty("timeline").EnumerateArray().Select(s => s.Text("event")!));
        (task.HasError, task.HasDedupeKey, task.LeaseUntil is null).ShouldBe((false, false, true));
    }

    [Fact]
    public async Task Get_waits_for_the_end()
    {
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue });
        var wait = _client.Tasks.GetAsync(new GetRequest { Id = id.ToString(), WaitSeconds = 30 });
        await _client.Tasks.CancelAsync(new CancelRequest { Id = id.ToString() });
        (await wait).Status.ShouldBe(TaskStatus.Cancelled);
    }

    [Fact]
    public async Task Many_tasks_are_accepted_together_or_not_at_all()
    {
        var request = new EnqueueManyRequest();
        request.Tasks.AddRange(Enumerable.Range(0, 20).Select(i => new NewTask { Name = $"n{i}", Queue = _queue }));
        var answer = await _client.Tasks.EnqueueManyAsync(request);
        answer.Tasks.Select(t => t.Result).ShouldAllBe(r => r == EnqueueResult.Queued);
        answer.Tasks.Select(t => t.Id).Distinct().Count().ShouldBe(20);

        request.Tasks[7].MaxAttempts = 1000;
        var (status, text, code, http) = await GrpcClient.RefusedAsync(async () => await _client.Tasks.EnqueueManyAsync(request));
        (status, code, http).ShouldBe((StatusCode.InvalidArgument, "invalid_task", 400));
        text.ShouldStartWith("tasks[7]: ");
        (await Http.ClaimAsync(_queue, max: 100)).Count.ShouldBe(20);
    }

    /// <summary>A call, and the request of HTTP that is refused in the same words.</summary>
    public static TheoryData<string, string, string, string> Refusals => new()
    {
        { "Enqueue", """{"task":{"name":"a","queue":"no queue"}}""", "/tasks/bulk", """{"tasks":[{"action":"a","queue":"no queue"}]}""" },
        { "Enqueue", """{"task":{"name":"a","queue":"q","id":"1"}}""", "/tasks/bulk",
            """{"tasks":[{"action":"a","queue":"q","id":"1"}]}""" },
        { "Enqueue", """{"task":{"name":"a","queue":"q","tags":["a,b"]}}""", "/tasks/bulk",
            """{"tasks":[{"action":"a","queue":"q","tags":["a,b"]}]}""" },
        { "Enqueue", """{"task":{"name":"a","queue":"q","maxAttempts":0}}""", "/tasks/bulk",
            """{"tasks":[{"action":"a","queue":"q","max_attempts":0}]}""" },
        { "Get", """{"id":"x"}""", "GET /tasks/x", "" },
        { "Get", """{"id":"01a20000-0000-4000-8000-000000000001","waitSeconds":31}""",
            "GET /tasks/01a20000-0000-4000-8000-000000000001?wait_seconds=31", "" },
        { "Cancel", """{"id":"01a20000-0000-4000-8000-000000000001"}""", "/tasks/01a20000-0000-4000-8000-000000000001/cancel", "" },
        { "Heartbeat", "{}", "/workers/heartbeat", """{"tasks":[]}""" },
        { "Heartbeat", """{"tasks":[{"id":"x","attempt":1}]}""", "/workers/heartbeat", """{"tasks":[{"attempt":1}]}""" },
        { "Heartbeat", """{"tasks":[{"id":"01a20000-0000-4000-8000-000000000001","attempt":1,"leaseSeconds":0.5}]}""",
            "/workers/heartbeat", """{"tasks":[{"id":"01a20000-0000-4000-8000-000000000001","attempt":1,"lease_seconds":0.5}]}""" },
        { "Report", """{"tasks":[{"id":"01a20000-0000-4000-8000-000000000001","attempt":1}]}""", "/workers/report",
            """{"tasks":[{"id":"01a20000-0000-4000-8000-000000000001","attempt":1}]}""" },
        { "Report", """{"tasks":[{"id":"01a20000-0000-4000-8000-000000000001","attempt":1,"outcome":"OUTCOME_FAILED"}]}""",
            "/workers/report", """{"tasks":[{"id":"01a20000-0000-4000-8000-000000000001","attempt":1,"outcome":"failed"}]}""" },
        { "Stopped", "{}", "/workers/stopped", "{}" },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task Refusals_have_the_texts_of_HTTP(string rpc, string request, string path, string body)
    {
        var (_, text, code, status) = await GrpcClient.RefusedAsync(() => CallAsync(rpc, request));
        var reply = path.StartsWith("GET ", StringComparison.Ordinal) ? await Http.ReadAsync(path[4..]) : await Http.PostAsync(path, body);

        reply.Json.Text("detail")!.Replace("tasks[0]: ", "", StringComparison.Ordinal).ShouldBe(text);
        (status, code).ShouldBe((reply.Status, reply.Json.Text("code")));
    }

    [Fact]
    public async Task Data_and_results_must_be_JSON()
    {
        foreach (var data in new[] { ByteString.CopyFromUtf8("{"), ByteString.CopyFrom(0x22, 0xff, 0x22), ByteString.Empty })
        {
            var (status, text, code, _) = await GrpcClient.RefusedAsync(async () =>
                await _client.Tasks.EnqueueAsync(new() { Task = new() { Name = "a", Queue = _queue, Data = data } }));
            (status, code).ShouldBe((StatusCode.InvalidArgument, "invalid_json"));
            text.ShouldStartWith("data is not valid ");
        }

        (await GrpcClient.RefusedAsync(async () => await _client.Tasks.EnqueueAsync(new()))).Text.ShouldBe("a task needs a name");
        (await GrpcClient.RefusedAsync(async () => await _client.Tasks.EnqueueAsync(
            new() { Task = new() { Name = new string('n', 257), Queue = _queue } }))).Text.ShouldStartWith("name must have at most 256");
    }

    [Fact]
    public async Task Entries_are_limited_in_number_and_size()
    {
        var many = new EnqueueManyRequest { Tasks = { Enumerable.Repeat(new NewTask(), 1500) } };
        (await GrpcClient.RefusedAsync(async () => await _client.Tasks.EnqueueManyAsync(many))).Text
            .ShouldContain("must have at most 1020 fields");
        var one = new NewTask { Name = "a", Queue = _queue, Data = ByteString.CopyFromUtf8($"\"{new string('x', 1_100_000)}\"") };
        var (status, text, code, _) = await GrpcClient.RefusedAsync(async () => await _client.Tasks.EnqueueManyAsync(
            new() { Tasks = { new NewTask { Name = "a", Queue = _queue }, one } }));
        (status, code).ShouldBe((StatusCode.ResourceExhausted, "too_large"));
        text.ShouldStartWith("an entry of tasks must have at most");
        (await Http.ClaimAsync(_queue)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_long_text_of_a_caller_is_not_sent_back_whole()
    {
        var (status, text, code, _) = await GrpcClient.RefusedAsync(async () =>
            await _client.Tasks.GetAsync(new GetRequest { Id = new string('x', 50_000) }));
        (status, code, text.Length).ShouldBe((StatusCode.NotFound, "not_found", 301));
    }

    [Fact]
    public async Task A_message_that_is_too_large_is_refused_before_it_is_read()
    {
        var data = ByteString.CopyFromUtf8($"\"{new string('x', 70_000_000)}\"");
        var (status, text, code, http) = await GrpcClient.RefusedAsync(async () =>
            await _client.Tasks.EnqueueAsync(new() { Task = new() { Name = "a", Queue = _queue, Data = data } }));
        (status, code, http).ShouldBe((StatusCode.ResourceExhausted, "too_large", 413));
        text.ShouldContain("the message must have at most");
        (await Http.ReadAsync("/health/live")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task Attempts_are_renewed_and_reported()
    {
        var ids = await Http.SubmitManyAsync(Enumerable.Range(0, 3).Select(_ => new { action = "a", queue = _queue, max_attempts = 1 }));
        using var claim = await _client.ClaimAsync(_queue, credit: 3);
        var tasks = await claim.TakeAsync(3);
        tasks.Select(t => Guid.Parse(t.Id)).ShouldBe(ids, ignoreOrder: true);
        var heartbeat = new HeartbeatRequest();
        heartbeat.Tasks.AddRange(tasks.Select(t => new Heartbeat
        {
            Id = t.Id, Attempt = t.Attempt, Progress = GrpcClient.Json(new { done = 0.5 }),
            Logs = { new LogLine { Message = "half", Level = LogLevel.Warning } },
        }));
        (await _client.Workers.HeartbeatAsync(heartbeat)).Codes.ShouldAllBe(c => c == AnswerCode.Ok);

        var report = new ReportRequest
        {
            Tasks =
            {
                new Report { Id = tasks[0].Id, Attempt = 1, Outcome = Outcome.Completed, Result = GrpcClient.Json(new { ok = true }) },
                new Report { Id = tasks[1].Id, Attempt = 1, Outcome = Outcome.Failed, Error = "broken", ErrorType = "E", Stack = "at a" },
                new Report { Id = tasks[2].Id, Attempt = 1, Outcome = Outcome.Snoozed, DelaySeconds = 3600 },
                new Report { Id = tasks[0].Id, Attempt = 9, Outcome = Outcome.Completed },
                new Report { Id = Guid.NewGuid().ToString(), Attempt = 1, Outcome = Outcome.Completed },
            },
        };
        var answers = await _client.Workers.ReportAsync(report);

        answers.Codes.Take(3).ShouldAllBe(c => c == AnswerCode.Ok);
        answers.Codes[^1].ShouldBe(AnswerCode.NotFound);
        var done = await Http.TaskAsync(Guid.Parse(tasks[0].Id));
        (done.Text("status"), done.GetProperty("result").GetRawText()).ShouldBe(("completed", """{"ok":true}"""));
        var failed = await Http.TaskAsync(Guid.Parse(tasks[1].Id));
        (failed.Text("status"), failed.Text("error"), failed.GetProperty("progress").GetRawText())
            .ShouldBe(("failed", "broken", """{"done":0.5}"""));
        (await Http.TaskAsync(Guid.Parse(tasks[2].Id))).Text("status").ShouldBe("pending");
        (await _client.Workers.ReportAsync(report)).Codes[0].ShouldBe(AnswerCode.Duplicate);
        await Eventually.UntilAsync(
            async () => (await Http.ReadAsync($"/tasks/{tasks[0].Id}/logs")).Text.Contains("half", StringComparison.Ordinal),
            TestHttp.Patience, "the line is kept");
    }

    [Fact]
    public async Task An_invalid_entry_costs_the_others_nothing()
    {
        var ids = await Http.SubmitManyAsync(Enumerable.Range(0, 2).Select(_ => new { action = "a", queue = _queue }));
        await Http.ClaimAsync(_queue, max: 2);
        var at = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        var renewed = await _client.Workers.HeartbeatAsync(new HeartbeatRequest
        {
            Tasks =
            {
                new Heartbeat { Id = $"{ids[0]}", Attempt = 1, Progress = ByteString.CopyFromUtf8("{") },
                new Heartbeat
                {
                    Id = $"{ids[1]}", Attempt = 1, Logs = { new LogLine { Message = "m", At = Timestamp.FromDateTimeOffset(at) } },
                },
            },
        });
        var reported = await _client.Workers.ReportAsync(new ReportRequest
        {
            Tasks =
            {
                new Report { Id = $"{ids[0]}", Attempt = 1, Outcome = Outcome.Failed },
                new Report { Id = $"{ids[1]}", Attempt = 1, Outcome = Outcome.Completed },
                new Report { Id = "x", Attempt = 1, Outcome = Outcome.Completed },
            },
        });

        renewed.Codes.ShouldBe([AnswerCode.Invalid, AnswerCode.Ok]);
        renewed.Errors.Single().Key.ShouldBe(0);
        renewed.Errors[0].ShouldStartWith("progress is not valid JSON");
        reported.Codes.ShouldBe([AnswerCode.Invalid, AnswerCode.Ok, AnswerCode.Invalid]);
        (reported.Errors[0], reported.Errors[2]).ShouldBe(("a failed attempt needs an error", "id must be the id of a task"));
        (await Http.TaskAsync(ids[0])).Text("status").ShouldBe("running");
        (await Http.TaskAsync(ids[1])).Text("status").ShouldBe("completed");
        await Eventually.UntilAsync(
            async () => (await Http.ReadAsync($"/tasks/{ids[1]}/logs")).Text.Contains("\"2026-01-02T03:04:05", StringComparison.Ordinal),
            TestHttp.Patience, "the line has its time");
    }

    private async Task CallAsync(string rpc, string request)
    {
        switch (rpc)
        {
            case "Enqueue":
                await _client.Tasks.EnqueueAsync(EnqueueRequest.Parser.ParseJson(request));
                break;
            case "Get":
                await _client.Tasks.GetAsync(GetRequest.Parser.ParseJson(request));
                break;
            case "Cancel":
                await _client.Tasks.CancelAsync(CancelRequest.Parser.ParseJson(request));
                break;
            case "Heartbeat":
                await _client.Workers.HeartbeatAsync(HeartbeatRequest.Parser.ParseJson(request));
                break;
            case "Report":
                await _client.Workers.ReportAsync(ReportRequest.Parser.ParseJson(request));
                break;
            default:
                await _client.Workers.StoppedAsync(StoppedRequest.Parser.ParseJson(request));
                break;
        }
    }
}
