using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Servers with keys of two producers, a worker, a key for some queues, and an administrator.</summary>
public abstract class OwnerServer(DatabaseProvider provider) : IAsyncLifetime
{
    private static readonly (string Name, string Scopes, string? Queues)[] Keys =
        [("ann", "enqueue,read", null), ("ben", "enqueue,read", null), ("worker", "work", "*"), ("mailer", "enqueue,work,read", "mail*"),
            ("boss", "admin", null)];

    private readonly Dictionary<string, HttpClient> _clients = [];
    private TestDatabase _database = null!;
    private string? _rabbitMq;
    private TestHost _host = null!;

    internal HttpClient this[string name] => _clients[name];

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(provider);
        _rabbitMq = provider == DatabaseProvider.Sqlite ? null : await TestServers.CreateVirtualHostAsync();
        _host = await TestHost.StartAsync(_database.ConnectionString, _rabbitMq, settings: Settings());
        foreach (var (name, _, _) in Keys)
        {
            _clients[name] = new HttpClient { BaseAddress = _host.Http.BaseAddress };
            _clients[name].DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", TestKeys.Of(name));
        }
    }

    public async Task DisposeAsync()
    {
        foreach (var client in _clients.Values)
            client.Dispose();
        await _host.DisposeAsync();
        if (_rabbitMq is not null)
            await TestServers.DeleteVirtualHostAsync(_rabbitMq);
        await _database.DisposeAsync();
    }

    private static Dictionary<string, string?> Settings()
    {
        var settings = new Dictionary<string, string?> { ["Logging:LogLevel:Default"] = "Error" };
        foreach (var (index, key) in Keys.Index())
        {
            settings[$"TaskQueue:Auth:ApiKeys:{index}:Name"] = key.Name;
            settings[$"TaskQueue:Auth:ApiKeys:{index}:Key"] = TestKeys.Of(key.Name);
            foreach (var (place, scope) in key.Scopes.Split(',').Index())
                settings[$"TaskQueue:Auth:ApiKeys:{index}:Scopes:{place}"] = scope;
            if (key.Queues is not null)
                settings[$"TaskQueue:Auth:ApiKeys:{index}:Queues:0"] = key.Queues;
        }

        return settings;
    }
}

public sealed class SqliteOwnerServer() : OwnerServer(DatabaseProvider.Sqlite);

public sealed class PostgresOwnerServer() : OwnerServer(DatabaseProvider.Postgres);

/// <summary>
/// A key sees and changes only its owner's tasks, batches and files, through every API; workers see what their queues allow.
/// </summary>
public abstract class OwnerTests(OwnerServer keys)
{
    private static readonly string[] Tags = ["t"];

    private readonly string _queue = $"Q{Guid.NewGuid():N}";

    [Fact]
    public async Task A_search_finds_only_what_the_caller_owns_unless_it_sees_all_tenants()
    {
        var (hers, his) = (await keys["ann"].SubmitAsync(new { queue = _queue, action = "a", tags = Tags, ordering_key = "k" }),
            await keys["ben"].SubmitAsync(new { queue = _queue, action = "a", tags = Tags }));

        foreach (var query in new[] { $"queue={_queue}", $"queue={_queue}&tag=t", $"queue={_queue}&state=pending" })
        {
            Ids((await keys["ann"].ReadAsync($"/tasks?{query}")).Json).ShouldBe([hers]);
            Ids((await keys["ben"].ReadAsync($"/tasks?{query}")).Json).ShouldBe([his]);
            Ids((await keys["boss"].ReadAsync($"/tasks?{query}")).Json).ShouldBe([his, hers]);
            Ids((await keys["boss"].ReadAsync($"/tasks?{query}&owner=ann")).Json).ShouldBe([hers]);
        }

        Ids((await keys["ann"].ReadAsync($"/tasks?id={his}")).Json).ShouldBeEmpty();
        Ids((await keys["ben"].ReadAsync($"/tasks?queue={_queue}&owner=ben")).Json).ShouldBe([his]);
        Ids((await keys["boss"].ReadAsync($"/tasks?queue={_queue}&ordering_key=k&owner=ann")).Json).ShouldBe([hers]);
        Problems.Expect(await keys["ben"].ReadAsync($"/tasks?queue={_queue}&owner=ann"), 403, "forbidden");
    }

    [Fact]
    public async Task Only_its_owner_and_administrators_see_and_change_a_task()
    {
        var id = await keys["ann"].SubmitAsync(new { queue = _queue, action = "a" });

        foreach (var path in new[] { $"/tasks/{id}", $"/tasks/{id}/callbacks", $"/v1/queue/{id}" })
            (await keys["ben"].ReadAsync(path)).Status.ShouldBe(404, path);
        foreach (var verb in new[] { "cancel", "retry" })
            (await keys["ben"].PostAsync($"/tasks/{id}/{verb}", "")).Status.ShouldBe(404, verb);
        (await keys["ben"].RemoveAsync($"/tasks/{id}")).Status.ShouldBe(404);
        (await keys["ben"].PostAsync($"/v1/queue/{id}/cancel", "")).Status.ShouldBe(202); // bella.md 4.7: also for an unknown task
        Ids((await keys["ben"].ReadAsync("/tasks")).Json).ShouldNotContain(id);
        Ids((await keys["ben"].ReadAsync($"/queues/{_queue}/tasks")).Json).ShouldBeEmpty();

        foreach (var name in new[] { "ann", "boss" })
        {
            var task = await keys[name].TaskAsync(id);
            (task.Text("status"), task.Text("owner")).ShouldBe(("pending", "ann"));
            Ids((await keys[name].ReadAsync("/tasks")).Json).ShouldContain(id);
            Ids((await keys[name].ReadAsync($"/queues/{_queue}/tasks")).Json).ShouldBe([id]);
        }

        (await keys["ann"].PostAsync($"/tasks/{id}/cancel", "")).Status.ShouldBe(200);
        (await keys["boss"].RemoveAsync($"/tasks/{id}")).Status.ShouldBe(204);
    }

    [Fact]
    public async Task Workers_run_tasks_of_every_owner()
    {
        var ids = new[] { await keys["ann"].SubmitAsync(new { queue = _queue, action = "a" }),
            await keys["ben"].SubmitAsync(new { queue = _queue, action = "a" }) };

        var claimed = await keys["worker"].ClaimAsync(_queue, max: 10);

        claimed.Select(t => t.Id()).ShouldBe(ids);
        (await keys["worker"].TellAsync("report",
            [.. claimed.Select(t => (object)new { id = t.Id(), attempt = 1, outcome = "completed" })])).ShouldBe(["ok", "ok"]);
        (await keys["ben"].TaskAsync(ids[1])).Text("status").ShouldBe("completed");
    }

    [Fact]
    public async Task A_key_for_some_queues_uses_no_others()
    {
        var mail = await keys["mailer"].SubmitAsync(new { queue = "mail-out", action = "a" });
        var other = await keys["ann"].SubmitAsync(new { queue = _queue, action = "a" });

        var refused = await keys["mailer"].PostAsync("/tasks", new { queue = _queue, action = "a" });
        (refused.Status, refused.Text).ShouldBe(
            (403, $$"""{"error":"this key does not cover queue {{_queue}} with the scope that the request needs"}"""));
        (await keys["mailer"].PostAsync("/tasks/bulk",
            new { tasks = new[] { new { queue = "mail", action = "a" }, new { queue = _queue, action = "a" } } })).Status.ShouldBe(403);
        var claim = await keys["mailer"].PostAsync("/workers/claim", new { queues = new[] { "mail", _queue }, worker = "w" });
        (claim.Status, claim.Json.Text("code")).ShouldBe((403, "forbidden"));
        (await keys["mailer"].ReadAsync($"/queues/{_queue}/tasks")).Status.ShouldBe(403);
        (await keys["mailer"].PostAsync("/moab/Dequeue", new { queue_name = _queue })).Json.Text("code").ShouldBe("PERMISSION_DENIED");
        (await keys["mailer"].PostAsync("/v1/queue/take", new { queues = new[] { $"{_queue}:0" }, size = 1 })).Status.ShouldBe(403);

        await keys["worker"].ClaimAsync(_queue);
        (await keys["mailer"].TellAsync("report", new { id = other, attempt = 1, outcome = "completed" })).ShouldBe(["not_found"]);
        (await keys["mailer"].TellAsync("heartbeat", new { id = other, attempt = 1 })).ShouldBe(["not_found"]);
        (await keys["ann"].TaskAsync(other)).Text("status").ShouldBe("running");
        (await keys["mailer"].ClaimAsync("mail-out")).Select(t => t.Id()).ShouldContain(mail);
    }

    [Fact]
    public async Task Moab_tasks_have_owners()
    {
        (await keys["boss"].PostAsync("/moab/CreateQueue", new { name = _queue, keepalive_timeout_in_seconds = 5 })).Status.ShouldBe(200);
        var reply = await keys["ann"].PostAsync("/moab/Enqueue", new { queue_name = _queue, entries = new[] { new { payload = "1" } } });
        reply.Status.ShouldBe(200, reply.Text);
        var task = new { queue_name = _queue, task_id = reply.Json.GetProperty("tasks")[0].Text("id") };

        (await keys["ben"].PostAsync("/moab/GetTask", task)).Status.ShouldBe(404);
        (await keys["ben"].PostAsync("/moab/ListTasks", task)).Json.GetProperty("tasks").GetArrayLength().ShouldBe(0);
        (await keys["ben"].PostAsync("/moab/DeleteTasks", new { queue_name = _queue, task_ids = new[] { task.task_id } }))
            .Status.ShouldBe(200);

        (await keys["ann"].PostAsync("/moab/GetTask", task)).Status.ShouldBe(200);
        (await keys["ann"].PostAsync("/moab/ListTasks", task)).Json.GetProperty("tasks").GetArrayLength().ShouldBe(1);
    }

    [Fact]
    public async Task Bella_tasks_files_and_batches_have_owners()
    {
        (await keys["ann"].PostAsync("/v1/queue/register", new { queue = _queue, endpoint = "/v1/chat/completions" })).Status.ShouldBe(200);
        var put = await keys["ann"].PostAsync("/v1/queue/put",
            new { queue = _queue, endpoint = "/v1/chat/completions", level = 0, data = new { a = 1 } });
        var taskId = put.Json.Text("data");
        var file = await UploadAsync("ann");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/batches")
        {
            Content = new StringContent(
                JsonSerializer.Serialize(new { input_file_id = file, endpoint = "/v1/chat/completions", completion_window = "24h" }),
                Encoding.UTF8, "application/json"),
            Headers = { { "X-BELLA-QUEUE-NAME", _queue } },
        };
        using var response = await keys["ann"].SendAsync(request);
        var batch = JsonSerializer.Deserialize<JsonElement>(await response.Content.ReadAsStringAsync()).Text("id");
        var mine = new[] { $"/v1/queue/{taskId}", $"/v1/files/{file}", $"/v1/batches/{batch}" };

        foreach (var path in mine)
        {
            (await keys["ben"].ReadAsync(path)).Status.ShouldBe(404, path);
            (await keys["ann"].ReadAsync(path)).Status.ShouldBe(200, path);
            (await keys["boss"].ReadAsync(path)).Status.ShouldBe(200, path);
        }

        (await keys["ben"].PostAsync($"/v1/batches/{batch}/cancel", "")).Status.ShouldBe(404);
        (await keys["ben"].RemoveAsync($"/v1/files/{file}")).Status.ShouldBe(404);
        (await keys["ben"].ReadAsync("/v1/batches")).Text.ShouldNotContain(batch!);
        (await keys["ben"].ReadAsync("/v1/files")).Text.ShouldNotContain(file);
    }

    [Fact]
    public async Task Events_show_only_the_owners_tasks()
    {
        using var theirs = await OpenAsync("ben");
        using var all = await OpenAsync("boss");
        var hers = await keys["ann"].SubmitAsync(new { queue = _queue, action = "a" });
        var his = await keys["ben"].SubmitAsync(new { queue = _queue, action = "a" });

        (await FirstTaskAsync(all)).ShouldBe(hers);
        (await FirstTaskAsync(theirs)).ShouldBe(his);
    }

    private static async Task<Guid> FirstTaskAsync(StreamReader events)
    {
        using var patience = new CancellationTokenSource(TestHttp.Patience);
        while (await events.ReadLineAsync(patience.Token) is { } line)
        {
            if (line.StartsWith("data:", StringComparison.Ordinal))
                return JsonSerializer.Deserialize<JsonElement>(line[5..]).GetProperty("task_id").GetGuid();
        }

        throw new InvalidOperationException("the stream has ended");
    }

    private async Task<StreamReader> OpenAsync(string name)
    {
        var response = await keys[name].GetAsync($"/events?queue={_queue}", HttpCompletionOption.ResponseHeadersRead);
        response.EnsureSuccessStatusCode();
        return new StreamReader(await response.Content.ReadAsStreamAsync());
    }

    private async Task<string> UploadAsync(string name)
    {
        var line = """{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}""";
        using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" },
            { new StringContent(line), "file", "in.jsonl" } };
        var reply = await keys[name].PostAsync("/v1/files", (object)form);
        return reply.Status == 200 ? reply.Json.Text("id")! : throw new InvalidOperationException($"{reply.Status}: {reply.Text}");
    }

    private static List<Guid> Ids(JsonElement list) => [.. list.GetProperty("tasks").EnumerateArray().Select(t => t.Id())];
}

/// <summary>Owners on SQLite.</summary>
public sealed class SqliteOwnerTests(SqliteOwnerServer keys) : OwnerTests(keys), IClassFixture<SqliteOwnerServer>;

/// <summary>Owners on PostgreSQL.</summary>
public sealed class PostgresOwnerTests(PostgresOwnerServer keys) : OwnerTests(keys), IClassFixture<PostgresOwnerServer>;
