using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Operations on many tasks over HTTP, the command line and the .NET client.</summary>
public sealed class BulkOperationApiTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private static readonly string[] Tenants = ["ann", "ben"], Tag = ["x"];

    public static TheoryData<DatabaseProvider> Providers => [DatabaseProvider.Sqlite, DatabaseProvider.Postgres];

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_search_is_edited_and_undone(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var host = await TestHost.StartAsync(database.ConnectionString);
        var http = host.Http;
        var ids = new List<Guid>();
        for (var i = 0; i < 3; i++)
            ids.Add(await FailAsync(http, new { to = "ann", n = i }));
        var body = new Dictionary<string, object?>
        {
            ["action"] = "edit",
            ["selection"] = new { search = new { queue = "q", state = new[] { "failed" }, created_from = "2020-01-01T00:00:00Z" } },
            ["patch"] = new object[] { new { op = "replace", path = "/data/to", value = "ben" } },
        };

        var preview = await http.PostAsync("/operations", new Dictionary<string, object?>(body) { ["dry_run"] = true });
        preview.Status.ShouldBe(200, preview.Text);
        (preview.Json.Whole("count"), preview.Json.GetProperty("exact").GetBoolean()).ShouldBe((3, true));
        preview.Json.GetProperty("sample_ids").EnumerateArray().Select(id => id.GetGuid()).ShouldBe(ids, ignoreOrder: true);

        var created = await http.PostAsync("/operations", body);
        created.Status.ShouldBe(202, created.Text);
        created.Json.Names().ShouldBe(["id", "action", "state", "total", "done", "skipped", "failed", "undone", "error", "can_undo",
            "queue", "target_queue", "rate_per_second", "owner", "created_by", "created_at", "started_at", "finished_at", "selection",
            "patch"], ignoreOrder: true);
        var id = created.Json.Text("id")!;
        var ended = await EndAsync(http, id);
        (ended.Text("state"), ended.Whole("done"), ended.Whole("failed"), ended.Text("queue")).ShouldBe(("completed", 3, 0, "q"));
        ended.GetProperty("selection").GetProperty("search").GetProperty("state")[0].GetString().ShouldBe("failed");
        ended.GetProperty("patch")[0].Text("path").ShouldBe("/data/to");
        foreach (var task in ids)
        {
            var edited = await http.TaskAsync(task);
            (edited.Text("status"), edited.GetProperty("payload").GetProperty("data").Text("to")).ShouldBe(("pending", "ben"));
        }

        (await http.PostAsync($"/operations/{id}/resume", "")).Status.ShouldBe(409);
        (await http.PostAsync($"/operations/{id}/undo", "")).Json.Text("state").ShouldBe("undoing");
        (await EndAsync(http, id)).Text("state").ShouldBe("undone");
        (await http.TaskAsync(ids[0])).GetProperty("payload").GetProperty("data").Text("to").ShouldBe("ann");
        (await http.PostAsync($"/operations/{id}/undo", "")).Text.ShouldContain("cannot be undone");

        var list = (await http.ReadAsync("/operations?limit=1")).Json;
        list.GetProperty("operations")[0].Text("id").ShouldBe(id);
        list.GetProperty("next_cursor").ValueKind.ShouldBe(JsonValueKind.Null);
        var audit = (await http.ReadAsync($"/audit?target=operation/{id}")).Json.GetProperty("records").EnumerateArray().ToList();
        audit.Where(r => r.Text("result") == "done").Select(r => r.Text("action")).ShouldBe(["operation.undo", "operation.create"]);
        string.Concat(audit).ShouldNotContain("ben");
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task The_id_and_the_action_of_a_message_are_those_of_its_task_and_are_not_patched(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var host = await TestHost.StartAsync(database.ConnectionString);
        var id = await host.Http.SubmitAsync(new { queue = "q", action = "a", data = new { n = 1 } });
        var former = (await host.Http.TaskAsync(id)).GetProperty("payload").GetRawText();
        foreach (var patch in new[]
        {
            """[{"op":"replace","path":"/id","value":"01a20000-0000-4000-8000-000000000002"}]""",
            """[{"op":"replace","path":"/action","value":"b"}]""", """[{"op":"remove","path":"/action"}]""",
            """[{"op":"move","from":"/data","path":""}]""", """[{"op":"copy","from":"/data/n","path":"/id"}]""",
        })
        {
            var created = await host.Http.PostAsync("/operations",
                $$$"""{"action":"edit","selection":{"ids":["{{{id}}}"]},"patch":{{{patch}}}}""");
            created.Status.ShouldBe(202, created.Text);
            var ended = await EndAsync(host.Http, created.Json.Text("id")!);
            (ended.Whole("done"), ended.Whole("failed")).ShouldBe((0, 1), patch);
            ended.Text("error")!.ShouldContain("id and action of its message");
        }

        (await host.Http.TaskAsync(id)).GetProperty("payload").GetRawText().ShouldBe(former);
    }

    [Fact]
    public async Task The_command_line_and_the_client_do_the_same()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString);
        var (http, server) = (host.Http, host.Http.BaseAddress!);
        var id = await http.SubmitAsync(new { action = "a", queue = "q", tags = Tag });

        (await CommandRun.OfAsync(server, ["operations", "create", "cancel", "--queue", "q", "--tag", "x", "--dry-run"])).Done().Text
            .ShouldBe("1 tasks; nothing was changed");
        var done = (await CommandRun.OfAsync(server, ["operations", "create", "move", "--id", $"{id}", "--target-queue", "r", "--wait",
            "--json"])).Done().Json;
        (done.Text("state"), done.Whole("done")).ShouldBe(("completed", 1));
        (await http.TaskAsync(id)).Text("queue").ShouldBe("r");
        (await CommandRun.OfAsync(server, ["operations", "list"])).Done().Text.ShouldContain(done.Text("id")!);
        (await CommandRun.OfAsync(server, ["operations", "show", done.Text("id")!])).Done().Text.ShouldContain("completed");
        (await CommandRun.OfAsync(server, ["operations", "undo", done.Text("id")!])).Done().Text.ShouldContain("undoing");
        await EndAsync(http, done.Text("id")!);
        (await http.TaskAsync(id)).Text("queue").ShouldBe("q");
        (await CommandRun.OfAsync(server, ["operations", "pause", $"{Guid.NewGuid()}"])).Refused(1, "there is no operation");
        (await CommandRun.OfAsync(server, ["operations", "create", "cancel"])).Refused(2, "--all");
        (await CommandRun.OfAsync(server, ["operations", "create", "edit", "--all", "--patch", "{"])).Refused(2, "--patch must be JSON");

        await using var services = new ServiceCollection().AddTaskQueueClient(options => options.BaseAddress = server)
            .BuildServiceProvider();
        var client = services.GetRequiredService<TaskQueueClient>();
        var wanted = new NewBulkOperation
        {
            Action = BulkOperationAction.Edit, Search = new TaskSearch { Queue = "q", Statuses = [QueuedTaskStatus.Pending], Tags = ["x"] },
            Patch = JsonSerializer.Deserialize<JsonElement>("""[{"op":"replace","path":"/data","value":[1]}]"""), RatePerSecond = 0.001,
        };
        (await client.PreviewOperationAsync(wanted)).SampleIds.ShouldBe([id]);
        var started = await client.StartOperationAsync(wanted);
        BulkOperation? now = null;
        await Eventually.UntilAsync(async () => (now = await client.GetOperationAsync(started.Id))?.State == BulkOperationState.Completed,
            Deadline, "the operation has ended");
        (now!.Done, now.Total, now.CanUndo).ShouldBe((1, new TaskSearchTotal(1, true), true));
        (await http.TaskAsync(id)).GetProperty("payload").GetProperty("data").GetRawText().ShouldBe("[1]");
        var seen = new List<Guid>();
        await foreach (var operation in client.OperationsAsync())
            seen.Add(operation.Id);
        seen[0].ShouldBe(started.Id);
        (await client.DecideOperationAsync(started.Id, BulkOperationDecision.Undo)).State.ShouldBe(BulkOperationState.Undoing);
        (await client.GetOperationAsync(Guid.NewGuid())).ShouldBeNull();
    }

    [Fact]
    public async Task Waiting_for_an_operation_that_does_not_complete_fails()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString);
        var ids = await host.Http.SubmitManyAsync(Enumerable.Range(0, 2).Select(_ => (object)new { action = "a", queue = "q" }));
        var run = CommandRun.OfAsync(host.Http.BaseAddress!,
            ["operations", "create", "cancel", "--id", $"{ids[0]}", "--id", $"{ids[1]}", "--rate", "0.001", "--wait"]);
        string? id = null;
        await Eventually.UntilAsync(async () =>
        {
            var list = (await host.Http.ReadAsync("/operations")).Json.GetProperty("operations");
            id = list.GetArrayLength() == 0 ? null : list[0].Text("id");
            return id is not null;
        }, Deadline, "the operation was created");

        (await host.Http.PostAsync($"/operations/{id}/cancel", "")).Status.ShouldBe(200);

        var ended = await run;
        ended.ExitCode.ShouldBe(1, ended.All);
    }

    [Fact]
    public async Task An_operation_survives_a_restart_and_is_paused_meanwhile()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        string id;
        List<Guid> ids;
        await using (var first = await TestHost.StartAsync(database.ConnectionString))
        {
            ids = await first.Http.SubmitManyAsync(Enumerable.Range(0, 5).Select(_ => (object)new { action = "a", queue = "q" }));
            id = (await first.Http.PostAsync("/operations",
                new { action = "cancel", selection = new { ids }, rate_per_second = 0.5 })).Json.Text("id")!;
            await Eventually.UntilAsync(async () => (await first.Http.ReadAsync($"/operations/{id}")).Json.Whole("done") > 0, Deadline,
                "the first task is cancelled");
        }

        await using var second = await TestHost.StartAsync(database.ConnectionString);
        await Eventually.UntilAsync(async () => (await second.Http.ReadAsync($"/operations/{id}")).Json.Whole("done") > 1, Deadline,
            "the next task is cancelled");
        (await second.Http.PostAsync($"/operations/{id}/pause", "")).Json.Text("state").ShouldBe("paused");
        (await second.Http.PostAsync($"/operations/{id}/pause", "")).Status.ShouldBe(409);
        (await second.Http.PostAsync($"/operations/{id}/resume", "")).Json.Text("state").ShouldBe("running");
        (await second.Http.PostAsync($"/operations/{id}/cancel", "")).Json.Text("state").ShouldBe("cancelled");
        var counted = 0L;
        await Eventually.UntilAsync(async () =>
        {
            var cancelled = 0L;
            foreach (var task in ids)
                cancelled += (await second.Http.TaskAsync(task)).Text("status") == "cancelled" ? 1 : 0;
            return (counted = cancelled) == (await second.Http.ReadAsync($"/operations/{id}")).Json.Whole("done");
        }, Deadline, "each cancelled task is counted once");
        counted.ShouldBeInRange(2, 4);
    }

    [Fact]
    public async Task Tenants_do_not_meet()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var settings = new Dictionary<string, string?>();
        foreach (var (i, name) in Tenants.Index())
        {
            settings[$"TaskQueue:Auth:ApiKeys:{i}:Key"] = TestKeys.Of(name);
            settings[$"TaskQueue:Auth:ApiKeys:{i}:Name"] = name;
            settings[$"TaskQueue:Auth:ApiKeys:{i}:Tenant"] = name;
        }

        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: settings);
        using var ann = ClientOf(host, "ann");
        using var ben = ClientOf(host, "ben");
        var anns = await ann.SubmitAsync(new { action = "a", queue = "q" });
        var bens = await ben.SubmitAsync(new { action = "a", queue = "q" });

        var id = (await ann.PostAsync("/operations", new { action = "cancel", selection = new { search = new { queue = "q" } } })).Json
            .Text("id")!;
        var listed = (await ann.PostAsync("/operations", new { action = "cancel", selection = new { ids = new[] { bens } } })).Json
            .Text("id")!;

        (await EndAsync(ann, id)).Whole("done").ShouldBe(1);
        var ended = await EndAsync(ann, listed);
        (ended.Whole("skipped"), ended.Text("created_by"), ended.Text("owner")).ShouldBe((1, "ann", "ann"));
        (await ann.TaskAsync(anns)).Text("status").ShouldBe("cancelled");
        (await ben.TaskAsync(bens)).Text("status").ShouldBe("pending");
        (await ben.ReadAsync("/operations")).Json.GetProperty("operations").GetArrayLength().ShouldBe(0);
        foreach (var reply in new[]
        {
            await ben.ReadAsync($"/operations/{id}"), await ben.PostAsync($"/operations/{id}/undo", ""),
            await ben.PostAsync($"/operations/{id}/cancel", ""),
        })
            reply.Status.ShouldBe(404);
        var other = await ben.PostAsync("/operations", new { action = "cancel", selection = new { search = new { owner = "ann" } } });
        other.Status.ShouldBe(403, other.Text);
    }

    [Fact]
    public async Task Whoever_may_only_submit_reads_nothing_through_operations()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: new Dictionary<string, string?>
        {
            ["TaskQueue:Auth:ApiKeys:0:Key"] = TestKeys.Of("ann"),
            ["TaskQueue:Auth:ApiKeys:0:Name"] = "ann",
            ["TaskQueue:Auth:ApiKeys:0:Tenant"] = "ann",
            ["TaskQueue:Auth:ApiKeys:0:Scopes:0"] = "enqueue",
        });
        using var ann = ClientOf(host, "ann");
        Guid[] ids = [await ann.SubmitAsync(new { action = "a", queue = "q" }), await ann.SubmitAsync(new { action = "a", queue = "q" })];
        object[] patch = [new { op = "test", path = "/data", value = 1 }];

        foreach (var (body, what) in new (object, string)[]
        {
            (new { action = "cancel", selection = new { search = new { queue = "q" } } }, "search"),
            (new { action = "cancel", selection = new { ids }, dry_run = true }, "dry_run"),
            (new { action = "edit", selection = new { ids }, patch }, "edit"),
        })
        {
            var refused = await ann.PostAsync("/operations", body);
            refused.Status.ShouldBe(403, refused.Text);
            refused.Json.Text("detail").ShouldNotBeNull().ShouldContain(what);
        }

        var created = await ann.PostAsync("/operations", new { action = "cancel", selection = new { ids }, rate_per_second = 0.001 });
        created.Status.ShouldBe(202, created.Text);
        var paused = await ann.PostAsync($"/operations/{created.Json.Text("id")}/pause", "");
        (paused.Status, paused.Json.GetProperty("selection").ValueKind).ShouldBe((200, JsonValueKind.Null));
    }

    [Fact]
    public async Task Callers_from_whom_values_are_hidden_do_not_edit_them()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(
            database.ConnectionString, settings: new Dictionary<string, string?> { ["TaskQueue:Redaction:Members:0"] = "password" });
        var patch = new object[] { new { op = "copy", from = "/password", path = "/shown" } };

        var edit = await host.Http.PostAsync("/operations", new { action = "edit", selection = new { search = new { } }, patch });
        edit.Status.ShouldBe(403, edit.Text);
        var search = await host.Http.PostAsync("/operations", new { action = "retry", selection = new { search = new { error = "x" } } });
        search.Status.ShouldBe(403, search.Text);
    }

    [Fact]
    public async Task Bad_requests_are_refused_with_a_remedy()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString);
        foreach (var (body, problem) in new[]
        {
            ("""{}""", "action must be retry, cancel, delete, move or edit"),
            ("""{"action":"purge","selection":{"search":{}}}""", "action must be"),
            ("""{"action":"retry"}""", "selection must be"),
            ("""{"action":"retry","selection":{}}""", "selection must be"),
            ("""{"action":"retry","selection":{"ids":[],"search":{}}}""", "not both"),
            ("""{"action":"retry","selection":{"ids":[]}}""", "selection.ids must have 1 to 1000 ids"),
            ("""{"action":"retry","selection":{"ids":["7"]}}""", "selection.ids[0] must be the UUID"),
            ("""{"action":"retry","selection":{"ids":[7]}}""", "$.selection.ids"),
            ("""{"action":"retry","selection":{"search":{"quueue":"q"}}}""", "no filter quueue"),
            ("""{"action":"retry","selection":{"search":{"queue":{}}}}""", "selection.search.queue must be a text"),
            ("""{"action":"retry","selection":{"search":{"state":[]}}}""", "selection.search.state must be a text"),
            ("""{"action":"retry","selection":{"search":{"queue":"a b"}}}""", "queue must be"),
            ("""{"action":"retry","selection":{"search":{"state":"completed"}}}""", "retry changes only tasks that are failed, cancelled"),
            ("""{"action":"retry","selection":{"search":{}},"target_queue":"q"}""", "target_queue goes with action move only"),
            ("""{"action":"move","selection":{"search":{}}}""", "target_queue must be"),
            ("""{"action":"move","selection":{"search":{}},"target_queue":"q:1"}""", "target_queue must be"),
            ("""{"action":"edit","selection":{"search":{}}}""", "patch is missing"),
            ("""{"action":"edit","selection":{"search":{}},"patch":[]}""", "patch must have 1 to 100 operations"),
            ("""{"action":"edit","selection":{"search":{}},"patch":[{"op":"add","path":"x","value":1}]}""", "patch[0].path"),
            ("""{"action":"retry","selection":{"search":{}},"patch":[]}""", "patch goes with action edit only"),
            ("""{"action":"retry","selection":{"search":{}},"rate_per_second":0}""", "rate_per_second must be 0.001 to 10000"),
            ("""{"action":"retry","selection":{"search":{}},"rate_per_second":"fast"}""", "$.rate_per_second"),
            ("""{"action":"retry","selection":{"search":{}},"dryrun":true}""", "$.dryrun is not a member of this request"),
        })
        {
            var reply = await host.Http.PostAsync("/operations", body);
            reply.Status.ShouldBe(400, $"{body}: {reply.Text}");
            reply.Json.Text("detail").ShouldNotBeNull().ShouldContain(problem);
        }

        var many = await host.Http.PostAsync(
            "/operations", new { action = "retry", selection = new { ids = Enumerable.Range(0, 1001).Select(_ => Guid.NewGuid()) } });
        (many.Status, many.Json.Text("detail")!.Contains("1 to 1000 ids", StringComparison.Ordinal)).ShouldBe((400, true));
        foreach (var query in new[] { "limit=201", "cursor=x", "state=running" })
            (await host.Http.ReadAsync($"/operations?{query}")).Status.ShouldBe(400, query);
        foreach (var path in new[] { "/operations/x", $"/operations/{Guid.NewGuid()}" })
        {
            (await host.Http.ReadAsync(path)).Status.ShouldBe(404);
            (await host.Http.PostAsync($"{path}/pause", "")).Status.ShouldBe(404);
        }
    }

    private static HttpClient ClientOf(TestHost host, string name)
    {
        var client = new HttpClient { BaseAddress = host.Http.BaseAddress };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", TestKeys.Of(name));
        return client;
    }

    private static async Task<Guid> FailAsync(HttpClient http, object data)
    {
        var id = await http.SubmitAsync(new { action = "a", queue = "q", data });
        await http.ClaimAsync("q");
        (await http.TellAsync("report", new { id, attempt = 1, outcome = "failed", error = "broken", retryable = false })).ShouldBe(["ok"]);
        return id;
    }

    private static async Task<JsonElement> EndAsync(HttpClient http, string id)
    {
        JsonElement operation = default;
        await Eventually.UntilAsync(async () =>
        {
            operation = (await http.ReadAsync($"/operations/{id}")).Json;
            return operation.Text("state") is "completed" or "cancelled" or "undone";
        }, Deadline, "the operation has ended");
        return operation;
    }
}
