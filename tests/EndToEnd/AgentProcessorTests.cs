using Microsoft.Extensions.Options;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The default processor of the agent API's tasks.</summary>
public abstract class AgentProcessorTests(Stack stack)
{
    private HttpClient Http => stack.Http;

    [Fact]
    public async Task Check5_the_default_processor_echoes()
    {
        var reply = await Http.PostAsync("/agent/process-async",
            """{"query":"Привет, как дела?","user_id":"user123","session_id":"session456"}""");
        var status = (await Http.EndedAsync(reply.Json.Text("task_id")!)).Json;

        status.Text("status").ShouldBe("completed");
        status.GetProperty("result").Text("query").ShouldBe("Привет, как дела?");
        status.GetProperty("result").Text("user_id").ShouldBe("user123");
        status.GetProperty("error").ValueKind.ShouldBe(System.Text.Json.JsonValueKind.Null);
        status.GetProperty("execution_time").GetDouble().ShouldBeInRange(0, 60);
    }

    [Fact]
    public async Task Other_tasks_of_the_queue_are_echoed_too()
    {
        foreach (var queue in new[] { "agent", "agent:1" })
        {
            var id = await Http.SubmitAsync(new { action = "x", queue, data = new { a = 1 } });
            var task = await Http.TaskAsync(id, "completed");
            task.GetProperty("result").GetProperty("data").Whole("a").ShouldBe(1);
            task.GetProperty("result").GetRawText().ShouldBe(task.GetProperty("payload").GetRawText());
        }
    }

    [Fact]
    public async Task Many_questions_are_all_answered()
    {
        var replies = await Task.WhenAll(Enumerable.Range(0, 200)
            .Select(i => Http.PostAsync("/agent/process-async", new { query = $"{i}" })));
        foreach (var (i, reply) in replies.Index())
            (await Http.EndedAsync(reply.Json.Text("task_id")!)).Json.GetProperty("result").Text("query").ShouldBe($"{i}");
    }
}

public sealed class AgentProcessorOnSqlite(SqliteStack stack) : AgentProcessorTests(stack), IClassFixture<SqliteStack>;

public sealed class AgentProcessorOnServers(ServersStack stack) : AgentProcessorTests(stack), IClassFixture<ServersStack>;

/// <summary>The other processors, keys, and a process that dies.</summary>
public sealed class AgentServersTests
{
    [Fact]
    public async Task Tasks_without_a_processor_fail_for_good_if_configured()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await StartAsync(database, new() { ["TaskQueue:Agent:Processor"] = "fail" });

        var reply = await host.Http.PostAsync("/agent/process-async", new { query = "q" });
        var status = (await host.Http.EndedAsync(reply.Json.Text("task_id")!)).Json;
        status.Text("status").ShouldBe("failed");
        status.Text("error").ShouldBe("no processor is registered for process_user_query_async");
        var task = await host.Http.TaskAsync(await host.Http.SubmitAsync(new { action = "x", queue = "agent" }), "failed");
        task.Whole("attempt").ShouldBe(1);
    }

    [Fact]
    public async Task Check2_a_question_needs_a_key_where_there_are_any()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await StartAsync(database, new()
        {
            ["TaskQueue:Auth:ApiKeys:0:Name"] = "ann",
            ["TaskQueue:Auth:ApiKeys:0:Key"] = TestKeys.Of("good"),
            ["TaskQueue:Auth:ApiKeys:1:Name"] = "old",
            ["TaskQueue:Auth:ApiKeys:1:Key"] = TestKeys.Of("expired"),
            ["TaskQueue:Auth:ApiKeys:1:ExpiresAt"] = "2020-01-01T00:00:00Z",
            ["TaskQueue:Auth:Jwt:Secret"] = AuthServer.Secret,
            ["TaskQueue:Auth:Jwt:DefaultScopes:0"] = "enqueue",
            ["TaskQueue:Auth:Jwt:DefaultScopes:1"] = "read",
        });
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var late = AuthServer.Token($"\"sub\":\"jo\",\"exp\":{now - 1}");
        var scoped = AuthServer.Token($"\"sub\":\"jo\",\"scope\":\"\",\"exp\":{now + 600}");

        foreach (var key in new[] { null, "wrong", TestKeys.Of("expired"), late,
            AuthServer.Token($"\"sub\":\"jo\",\"exp\":{now + 600}", secret: null, alg: "none") })
        {
            using var post = await SendAsync(host.Http, HttpMethod.Post, "/agent/process-async", key);
            await UnauthorizedAsync(post);
            using var get = await SendAsync(host.Http, HttpMethod.Get, $"/agent/task-status/{Guid.NewGuid()}", key);
            await UnauthorizedAsync(get);
        }

        foreach (var key in new[] { TestKeys.Of("good"), AuthServer.Token($"\"sub\":\"jo\",\"exp\":{now + 600}") })
        {
            using var good = await SendAsync(host.Http, HttpMethod.Post, "/agent/process-async", key);
            ((int)good.StatusCode).ShouldBe(200);
        }

        using var none = await SendAsync(host.Http, HttpMethod.Post, "/agent/process-async", scoped);
        ((int)none.StatusCode).ShouldBe(403, "it has a claim of scopes, and none in it");
    }

    [Theory]
    [InlineData("Queue", "two words")]
    [InlineData("Queue", "tasks")]
    [InlineData("Concurrency", "0")]
    public async Task An_invalid_setting_stops_the_start(string key, string value)
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var fault = await Should.ThrowAsync<OptionsValidationException>(() =>
            StartAsync(database, new() { [$"TaskQueue:Agent:{key}"] = value }));
        fault.Message.ShouldContain(key);
    }

    [Fact]
    public async Task Without_a_database_the_agent_API_answers_in_its_own_error_format()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        await using var host = await StartAsync(database, new() { ["Logging:LogLevel:Default"] = "None" });
        await TestServers.DropDatabaseAsync(database.ConnectionString);

        foreach (var reply in new[] { await host.Http.PostAsync("/agent/process-async", new { query = "q" }),
            await host.Http.ReadAsync($"/agent/task-status/{Guid.NewGuid()}") })
        {
            reply.Status.ShouldBe(503);
            reply.Text.ShouldBe("""{"detail":"Task queue not available"}""");
        }
    }

    [Fact]
    public async Task Check12_a_task_whose_server_and_worker_die_is_executed_again()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        string id;
        await using (var first = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database.ConnectionString, null,
            new Dictionary<string, string> { ["TaskQueue:Agent:Processor"] = "none" }))
        {
            id = (await first.Http.PostAsync("/agent/process-async", new { query = "again" })).Json.Text("task_id")!;
            (await first.Http.ClaimAsync("agent", lease_seconds: 1)).Count.ShouldBe(1);
            (await first.Http.ReadAsync($"/agent/task-status/{id}")).Json.Text("status").ShouldBe("processing");
            first.Kill();
        }

        await using var second = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database.ConnectionString, null);
        var status = (await second.Http.EndedAsync(id)).Json;
        status.Text("status").ShouldBe("completed");
        status.GetProperty("result").Text("query").ShouldBe("again");
        (await second.Http.TaskAsync(Guid.ParseExact(id["async_task_".Length..], "N"))).Whole("attempt").ShouldBe(2);
    }

    private static Task<TestHost> StartAsync(TestDatabase database, Dictionary<string, string?> settings) =>
        TestHost.StartAsync(database.ConnectionString, settings: settings);

    private static async Task<HttpResponseMessage> SendAsync(HttpClient http, HttpMethod method, string path, string? key)
    {
        using var request = new HttpRequestMessage(method, path);
        if (method == HttpMethod.Post)
            request.Content = new StringContent("""{"query":"q"}""");
        if (key is not null)
            request.Headers.Authorization = new("Bearer", key);
        return await http.SendAsync(request);
    }

    private static async Task UnauthorizedAsync(HttpResponseMessage response)
    {
        ((int)response.StatusCode).ShouldBe(401);
        response.Headers.WwwAuthenticate.ToString().ShouldBe("Bearer");
        (await response.Content.ReadAsStringAsync()).ShouldBe("""{"detail":"Unauthorized"}""");
    }
}

internal static class AgentClient
{
    /// <summary>The status of a task, once it has ended.</summary>
    public static Task<Reply> EndedAsync(this HttpClient http, string id) =>
        Eventually.UntilAsync(
            async () =>
                await http.ReadAsync($"/agent/task-status/{id}") is var reply && reply.Json.Text("status") is "completed" or "failed"
                    ? reply : null,
            TimeSpan.FromSeconds(30), $"{id} has ended");
}
