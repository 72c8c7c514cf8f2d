using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The list of workers, and how they are drained.</summary>
public abstract class WorkerListTests(Stack stack)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly string _queue = $"q{Guid.NewGuid():N}", _name = $"w{Guid.NewGuid():N}";

    [Fact]
    public async Task A_worker_is_listed_by_every_process_with_what_it_tells_and_what_it_runs()
    {
        await stack.Http.SubmitAsync(new { action = "x", queue = $"{_queue}:1" });
        var info = new { version = "1.2", host = "h", slots = 3 };
        await stack.Http.PostAsync("/workers/claim", new { queues = new[] { _queue, $"{_queue}:1" }, worker = _name, info });

        var worker = await ListedAsync(stack.OtherHttp, w => w.Whole("running") == 1);
        worker.Names().ShouldBe(["id", "name", "version", "host", "transport", "queues", "slots", "running", "last_seen_at", "started_at",
            "state", "lost_tasks", "owner"]);
        (worker.Text("version"), worker.Text("host"), worker.Whole("slots"), worker.Text("transport"), worker.Text("state"))
            .ShouldBe(("1.2", "h", 3, "http", "active"));
        worker.GetProperty("queues").EnumerateArray().Select(q => q.GetString()).ShouldBe([_queue, $"{_queue}:1"]);
        worker.GetProperty("lost_tasks").ValueKind.ShouldBe(JsonValueKind.Null);
        worker.GetProperty("owner").ValueKind.ShouldBe(JsonValueKind.Null);
        worker.GetProperty("last_seen_at").GetDateTimeOffset().ShouldBe(TimeProvider.System.GetUtcNow(), TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task A_drained_worker_finishes_its_task_claims_no_more_and_stops()
    {
        var goOn = new TaskCompletionSource();
        var begun = 0;
        await using var run = await WorkerRun.StartAsync(stack.Http.BaseAddress!, o =>
        {
            (o.Name, o.Concurrency, o.Prefetch, o.Lease, o.Version) = (_name, 1, 2, TimeSpan.FromSeconds(9), "7");
            o.Queues.Add(_queue);
            o.AddProcessor("x", async (_, _) =>
            {
                Interlocked.Increment(ref begun);
                await goOn.Task;
                return TaskOutcome.CompletedJson("true");
            });
        });
        var ids = new List<Guid>();
        for (var i = 0; i < 3; i++)
            ids.Add(await stack.Http.SubmitAsync(new { action = "x", queue = _queue }));
        await Eventually.UntilAsync(() => Task.FromResult(begun == 1), Patience, "the first runs");
        var worker = await ListedAsync(stack.OtherHttp, _ => true);
        worker.Text("version").ShouldBe("7");

        var reply = await stack.OtherHttp.PostAsync($"/workers/{worker.Text("id")}/drain", "");
        reply.Status.ShouldBe(202);
        reply.Json.ToString().ShouldBe($$"""{"id":"{{worker.Text("id")}}","state":"draining"}""");
        (await AuditedAsync("worker.drain", worker)).ShouldBeTrue();
        // The waiting tasks are released, and stay so.
        var listed = await ListedAsync(stack.Http, w => w.Whole("running") == 1 && w.Text("state") == "draining");
        listed.Whole("slots").ShouldBe(1);
        goOn.SetResult();
        await stack.Http.TaskAsync(ids[0], "completed");
        await ListedAsync(stack.OtherHttp, w => w.Text("state") == "stopped");
        begun.ShouldBe(1);
        foreach (var id in ids[1..])
            (await stack.Http.TaskAsync(id)).Text("status").ShouldBe("pending");
        Problems.Expect(await stack.Http.PostAsync($"/workers/{worker.Text("id")}/drain", ""), 409, "not_active");
        (await stack.Http.RemoveAsync($"/workers/{worker.Text("id")}")).Status.ShouldBe(204);
        Problems.Expect(await stack.Http.RemoveAsync($"/workers/{worker.Text("id")}"), 404, "not_found");
        (await AuditedAsync("worker.delete", worker)).ShouldBeTrue();

        async Task<bool> AuditedAsync(string action, JsonElement target) =>
            (await stack.Http.ReadAsync($"/audit?action={action}&target=worker/{target.Text("id")}&result=done")).Json
                .GetProperty("records").GetArrayLength() == 1;
    }

    [Fact]
    public async Task An_idle_worker_that_waits_for_tasks_is_told_soon_and_does_not_ask_again_and_again()
    {
        var body = new { queues = new[] { _queue }, worker = _name, wait_seconds = 25, info = new { instance = "1" } };
        var waiting = stack.Http.PostAsync("/workers/claim", body);
        var worker = await ListedAsync(stack.OtherHttp, _ => true);

        (await stack.OtherHttp.PostAsync($"/workers/{worker.Text("id")}/drain", "")).Status.ShouldBe(202);
        (await waiting.WaitAsync(TimeSpan.FromSeconds(15))).Text.ShouldBe("""{"tasks":[],"drain":true}""");

        await stack.Http.SubmitAsync(new { action = "x", queue = _queue });
        var first = await stack.Http.PostAsync("/workers/claim", body);
        var second = stack.Http.PostAsync("/workers/claim", body with { wait_seconds = 1 });
        first.Text.ShouldBe("""{"tasks":[],"drain":true}""");
        (await second).Text.ShouldBe("""{"tasks":[],"drain":true}""");
        var restarted = await stack.Http.PostAsync("/workers/claim", body with { info = new { instance = "2" } });
        restarted.Json.GetProperty("tasks").GetArrayLength().ShouldBe(1);
        await ListedAsync(stack.OtherHttp, w => w.Text("state") == "active");
    }

    [Fact]
    public async Task A_worker_that_says_goodbye_has_stopped()
    {
        await stack.Http.PostAsync("/workers/claim", new { queues = new[] { _queue }, worker = _name });
        var active = await ListedAsync(stack.Http, w => w.Text("state") == "active");
        Problems.Expect(await stack.Http.RemoveAsync($"/workers/{active.Text("id")}"), 409, "active");

        (await stack.Http.PostAsync("/workers/stopped", new { worker = _name })).Status.ShouldBe(204);

        await ListedAsync(stack.OtherHttp, w => w.Text("state") == "stopped");
    }

    [Fact]
    public async Task Bad_input_is_refused_with_its_remedy()
    {
        (string Path, string Says)[] reads =
        [
            ("?limit=0", "limit must be 1 to 200"), ("?limit=201", "limit must be 1 to 200"), ("?limit=x", "limit must be 1 to 200"),
            ("?limit=1&limit=2", "limit must have one value"), ("?cursor=x", "next_cursor"), ("?cursor=", "cursor must have one value"),
            ("?state=lost", "no query parameter 'state'"), ("?cursor=%00", "U+0000"),
        ];
        foreach (var (path, says) in reads)
            Problems.Expect(await stack.Http.ReadAsync($"/workers{path}"), 400, "invalid_request").Text("detail")!.ShouldContain(says);
        (object Info, string Says)[] infos =
        [
            (new { version = new string('v', 101) }, "info.version"), (new { host = "a\u0001" }, "info.host"),
            (new { slots = 0 }, "info.slots"), (new { instance = new string('i', 65) }, "info.instance"), ("x", "$.info"),
        ];
        foreach (var (info, says) in infos)
        {
            var reply = await stack.Http.PostAsync("/workers/claim", new { queues = new[] { _queue }, worker = _name, info });
            Problems.Expect(reply, 400, "invalid_request").Text("detail")!.ShouldContain(says);
        }

        Problems.Expect(await stack.Http.PostAsync("/workers/stopped", new { worker = "" }), 400, "invalid_request");
        (await stack.Http.PostAsync("/workers/stopped", "[]")).Status.ShouldBe(400);
        Problems.Expect(await stack.Http.PostAsync("/workers/none/drain", ""), 404, "not_found");
        Problems.Expect(await stack.Http.RemoveAsync("/workers/none"), 404, "not_found");
    }

    [Fact]
    public async Task The_client_and_the_command_line_list_and_drain()
    {
        await stack.Http.PostAsync("/workers/claim", new { queues = new[] { _queue }, worker = _name });
        var id = (await ListedAsync(stack.Http, _ => true)).Text("id")!;
        await using var services = new ServiceCollection().AddTaskQueueClient(o => o.BaseAddress = stack.Http.BaseAddress!)
            .BuildServiceProvider();
        var client = services.GetRequiredService<TaskQueueClient>();
        (await client.WorkersAsync()).Single(w => w.Id == id).Queues.ShouldBe([_queue]);

        var server = stack.Http.BaseAddress!;
        (await CommandRun.OfAsync(server, ["workers"])).Done().Row(id)[1].ShouldBe(_name);
        (await CommandRun.OfAsync(server, ["workers", "--json"])).Done().Json.GetProperty("workers").GetArrayLength().ShouldBePositive();
        (await CommandRun.OfAsync(server, ["workers", "drain", id])).Done().Row(id)[1].ShouldBe("draining");
        (await client.WorkersAsync()).Single(w => w.Id == id).State.ShouldBe("draining");
        await client.ForgetWorkerAsync(id);
        (await Should.ThrowAsync<TaskQueueException>(() => client.DrainWorkerAsync(id))).Status.ShouldBe(404);
        (await CommandRun.OfAsync(server, ["workers", "forget", id])).Refused(1, "no such worker");
    }

    private Task<JsonElement> ListedAsync(HttpClient http, Func<JsonElement, bool> condition) => http.WorkerAsync(_name, condition);
}

/// <summary>Finds workers in lists.</summary>
internal static class WorkerLists
{
    public static async Task<JsonElement> WorkerAsync(this HttpClient http, string name, Func<JsonElement, bool> condition)
    {
        JsonElement? found = null;
        await Eventually.UntilAsync(async () =>
        {
            found = (await http.ReadAsync("/workers?limit=200")).Json.GetProperty("workers").EnumerateArray()
                .Where(w => w.Text("name") == name).Select(w => (JsonElement?)w).SingleOrDefault();
            return found is { } worker && condition(worker);
        }, TimeSpan.FromSeconds(30), $"{name} is listed as expected");
        return found!.Value;
    }
}

/// <summary>One process.</summary>
public sealed class SqliteWorkerListTests(SqliteStack stack) : WorkerListTests(stack), IClassFixture<SqliteStack>;

/// <summary>Several processes, and the bus.</summary>
public sealed class SplitWorkerListTests(SplitStack stack) : WorkerListTests(stack), IClassFixture<SplitStack>
{
    private readonly Stack _stack = stack;

    [Fact]
    public async Task The_servers_own_workers_are_listed_and_cannot_be_drained()
    {
        var id = await _stack.Http.SubmitAsync(new { action = "echo", data = 1 });
        await _stack.Http.TaskAsync(id, "completed");
        var worker = (await _stack.Http.TaskAsync(id)).Text("worker")!;

        var listed = await _stack.Http.WorkerAsync(worker, w => w.GetProperty("queues").GetArrayLength() > 0);

        (listed.Text("transport"), listed.Text("state")).ShouldBe(("in_process", "active"));
        Problems.Expect(await _stack.Http.PostAsync($"/workers/{listed.Text("id")}/drain", ""), 409, "not_drainable");
    }
}

/// <summary>Two tenants.</summary>
public sealed class WorkerTenantTests : IAsyncLifetime
{
    private TestDatabase _database = null!;
    private TestHost _host = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        _host = await TestHost.StartAsync(_database.ConnectionString, settings: QuotaKeys.Settings());
    }

    public async Task DisposeAsync()
    {
        await _host.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task Workers_of_the_same_name_are_two_and_each_tenant_sees_and_drains_its_own()
    {
        using var ann = _host.ClientOf("ann");
        using var ben = _host.ClientOf("ben");
        using var boss = _host.ClientOf("boss");
        var claim = new { queues = new[] { "q" }, worker = "w" };
        foreach (var tenant in new[] { ann, ben })
            (await tenant.PostAsync("/workers/claim", claim)).Status.ShouldBe(200);

        var (hers, his) = (await ann.WorkerAsync("w", _ => true), await ben.WorkerAsync("w", _ => true));
        (hers.Text("owner"), his.Text("owner")).ShouldBe(("ann", "ben"));
        hers.Text("id").ShouldNotBe(his.Text("id"));
        (await boss.ReadAsync("/workers")).Json.GetProperty("workers").EnumerateArray().Count(w => w.Text("name") == "w").ShouldBe(2);

        Problems.Expect(await ben.PostAsync($"/workers/{hers.Text("id")}/drain", ""), 404, "not_found");
        (await ann.PostAsync($"/workers/{hers.Text("id")}/drain", "")).Status.ShouldBe(202);
        (await ann.PostAsync("/workers/claim", claim)).Text.ShouldBe("""{"tasks":[],"drain":true}""");
        (await ben.PostAsync("/workers/claim", claim)).Text.ShouldBe("""{"tasks":[]}""");
    }
}
