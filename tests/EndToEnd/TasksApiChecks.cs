using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The checks of the two original routes, each on a fresh database.</summary>
public abstract class TasksApiChecks(Stack stack) : IAsyncLifetime
{
    public Task InitializeAsync() => stack.InitializeAsync();

    public Task DisposeAsync() => stack.DisposeAsync();

    [Fact]
    public async Task Check14_a_task_is_accepted_and_completed_in_the_tutorials_format()
    {
        var id = await AcceptAsync("""{"action":"uppercase","data":{"text":"hello world"}}""");
        id[14].ShouldBe('4');
        "89ab".ShouldContain(id[19]);

        var row = await OnlyRowAsync();
        row.Names().ShouldBe(["id", "payload", "status", "result", "created_at", "processed_at"], ignoreOrder: true);
        row.Text("id").ShouldBe(id);
        row.Text("status").ShouldBe("completed");
        row.Text("result").ShouldBe("""{"output":"HELLO WORLD"}""");

        var payload = JsonSerializer.Deserialize<JsonElement>(row.Text("payload")!);
        payload.Names().ShouldBe(["id", "action", "data", "created_at"], ignoreOrder: true);
        payload.Text("id").ShouldBe(id);
        payload.Text("action").ShouldBe("uppercase");
        payload.GetProperty("data").GetRawText().ShouldBe("""{"text":"hello world"}""");

        var created = row.GetProperty("created_at").GetInt64();
        payload.GetProperty("created_at").GetInt64().ShouldBeInRange(created - 1, created);
        row.GetProperty("processed_at").GetInt64().ShouldBeGreaterThanOrEqualTo(created);
        created.ShouldBeInRange(
            TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() - 60, TimeProvider.System.GetUtcNow().ToUnixTimeSeconds());
    }

    [Fact]
    public async Task Check15_the_built_in_actions_return_the_tutorials_results()
    {
        (string Body, string Result)[] cases =
        [
            ("""{"action":"sum","data":{"numbers":[1,2,3.5]}}""", """{"output":6.5}"""),
            ("""{"action":"sum","data":{"numbers":[1,2,null,4]}}""", """{"output":3}"""),
            ("""{"action":"sum"}""", """{"output":0}"""),
            ("""{"action":"sum","data":false}""", """{"output":0}"""),
            ("""{"action":"uppercase"}""", """{"output":""}"""),
            ("""{"action":"uppercase","data":{"text":"größe \"я\""}}""", """{"output":"GRÖßE \"Я\""}"""),
            ("""{"action":"zzz"}""", """{"output":"processed"}"""),
            ("""{"action":0}""", """{"output":"processed"}"""),
            ("""{"action":{"a":1},"data":[1]}""", """{"output":"processed"}"""),
        ];
        var ids = new List<string>();
        foreach (var (body, _) in cases)
            ids.Add(await AcceptAsync(body));

        var rows = await RowsAsync("completed", cases.Length);
        foreach (var (id, (body, result)) in ids.Zip(cases))
            rows.Single(r => r.Text("id") == id).Text("result").ShouldBe(result, body);
    }

    [Fact]
    public async Task Check16_an_invalid_task_is_refused_with_the_tutorials_message_and_leaves_nothing()
    {
        foreach (var body in new[] { "{bad", "", "  ", "{\"action\":\"a\"} x", "{'action':'a'}" })
            await RefusedAsync(body, "invalid JSON");
        foreach (var body in new[] { "{}", """{"action":null}""", """{"action":false}""", "[]", "1", "true", "null", "\"action\"" })
            await RefusedAsync(body, "action required");
        (await stack.Http.ReadAsync("/tasks")).Text.ShouldBe("""{"tasks":[],"count":0}""");

        await AcceptAsync("""{"action":""}""");
        (await RowsAsync("completed", 1))[0].Text("result").ShouldBe("""{"output":"processed"}""");
    }

    [Fact]
    public async Task Check17_a_fresh_database_lists_nothing()
    {
        var reply = await stack.Http.ReadAsync("/tasks");
        reply.Status.ShouldBe(200);
        reply.ContentType.ShouldBe("application/json");
        reply.Text.ShouldBe("""{"tasks":[],"count":0}""");
    }

    [Fact]
    public async Task Check18_the_list_is_filtered_by_status()
    {
        var id = await AcceptAsync("""{"action":"uppercase","data":{"text":"hello world"}}""");
        (await OnlyRowAsync()).Text("id").ShouldBe(id);

        (await RowsAsync("completed", 1))[0].Text("id").ShouldBe(id);
        foreach (var query in new[] { "status=pending", "status=nonsense", "status=", "status", "status=COMPLETED",
            "status=pending&status=completed" })
            (await stack.Http.ReadAsync($"/tasks?{query}")).Text.ShouldBe("""{"tasks":[],"count":0}""", query);
        (await stack.Http.ReadAsync("/tasks?status=completed&status=pending")).Json.Whole("count").ShouldBe(1);
    }

    [Fact]
    public async Task Check19_the_list_holds_the_newest_hundred()
    {
        var ids = new List<string>();
        for (var i = 0; i < 150; i++)
            ids.Add(await AcceptAsync("""{"action":"zzz"}"""));
        await Eventually.UntilAsync(async () => (await CountAsync("completed")) == 150, TestHttp.Patience, "150 tasks are completed");

        var list = (await stack.Http.ReadAsync("/tasks")).Json;
        list.Whole("count").ShouldBe(100);
        var rows = list.GetProperty("tasks").EnumerateArray().ToList();
        rows.Count.ShouldBe(100);
        rows.Select(r => r.Text("id")!).ShouldBe(ids[50..].AsEnumerable().Reverse());
        var times = rows.ConvertAll(r => r.GetProperty("created_at").GetInt64());
        times.ShouldBe(times.OrderDescending());
    }

    [Fact]
    public async Task Check24_without_a_database_both_routes_report_it()
    {
        await AcceptAsync("""{"action":"zzz"}""");
        await RowsAsync("completed", 1);
        string[] names = stack.Database.Address.Provider == DatabaseProvider.Postgres ? ["tasks", "all_tasks"] : ["tasks"];
        foreach (var name in names)
            await stack.Database.RenameTableAsync(name, $"{name}_gone");

        var post = await stack.Http.PostAsync("/tasks", """{"action":"zzz"}""");
        post.Status.ShouldBe(500);
        post.Text.ShouldBe("""{"error":"failed to queue task"}""");
        var list = await stack.Http.ReadAsync("/tasks");
        list.Status.ShouldBe(500);
        list.Text.ShouldBe("""{"error":"database unavailable"}""");

        foreach (var name in names)
            await stack.Database.RenameTableAsync($"{name}_gone", name);
        await AcceptAsync("""{"action":"zzz"}""");
        await RowsAsync("completed", 2);
    }

    private async Task<string> AcceptAsync(string body)
    {
        var reply = await stack.Http.PostAsync("/tasks", body);
        reply.Status.ShouldBe(202, reply.Text);
        reply.ContentType.ShouldBe("application/json");
        reply.Json.Names().ShouldBe(["id", "status"], ignoreOrder: true);
        reply.Json.Text("status").ShouldBe("queued");
        return reply.Json.Text("id")!;
    }

    private async Task RefusedAsync(string body, string error)
    {
        var reply = await stack.Http.PostAsync("/tasks", body);
        reply.Status.ShouldBe(400, body);
        reply.ContentType.ShouldBe("application/json");
        reply.Text.ShouldBe($$"""{"error":"{{error}}"}""", body);
    }

    private async Task<JsonElement> OnlyRowAsync()
    {
        await RowsAsync("completed", 1);
        var list = (await stack.Http.ReadAsync("/tasks")).Json;
        list.Names().ShouldBe(["tasks", "count"], ignoreOrder: true);
        list.Whole("count").ShouldBe(1);
        return list.GetProperty("tasks").EnumerateArray().Single();
    }

    private async Task<List<JsonElement>> RowsAsync(string status, int count)
    {
        List<JsonElement> rows = [];
        await Eventually.UntilAsync(
            async () =>
                (rows = [.. (await stack.Http.ReadAsync($"/tasks?status={status}")).Json.GetProperty("tasks").EnumerateArray()])
                    .Count == count,
            TestHttp.Patience, $"{count} tasks are {status}");
        return rows;
    }

    private async Task<int> CountAsync(string status)
    {
        var state = Engine.Tasks.TaskStates.Parse(status);
        await using var db = stack.Database.CreateContext();
        return await db.Tasks.CountAsync(t => t.State == state);
    }
}

public sealed class TasksApiChecksOnSqlite() : TasksApiChecks(new SqliteStack());

public sealed class TasksApiChecksOnServers() : TasksApiChecks(new ServersStack());

/// <summary>The database itself is gone, not only a table.</summary>
public sealed class TasksApiWithoutPostgres : IAsyncLifetime
{
    private readonly ServersStack _stack = new();

    public Task InitializeAsync() => _stack.InitializeAsync();

    public Task DisposeAsync() => _stack.DisposeAsync();

    [Fact]
    public async Task Check24_without_a_database_every_route_answers_in_its_own_error_format()
    {
        var id = await _stack.Http.SubmitAsync(new { action = "zzz" });
        await TestServers.DropDatabaseAsync(_stack.Database.ConnectionString);

        var post = await _stack.Http.PostAsync("/tasks", """{"action":"zzz"}""");
        post.Status.ShouldBeOneOf(500, 503); // a connection that was cut may come back; a database that is not there does not
        post.Text.ShouldBe("""{"error":"failed to queue task"}""");
        var list = await _stack.Http.ReadAsync("/tasks");
        list.Status.ShouldBe(500);
        list.Text.ShouldBe("""{"error":"database unavailable"}""");

        var native = await _stack.Http.ReadAsync($"/tasks/{id}");
        native.Status.ShouldBe(503);
        native.ContentType.ShouldBe("application/problem+json");
        native.Json.Text("code").ShouldBe("database_unavailable");
        (await _stack.Http.ReadAsync("/health/ready")).Status.ShouldBe(503);
        (await _stack.Http.ReadAsync("/health/live")).Status.ShouldBe(200);
    }
}
