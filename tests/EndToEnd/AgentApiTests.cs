using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Storage;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Nothing runs the tasks of the agent API: the test acts as their worker, on a queue of another name.</summary>
public abstract class AgentStack(DatabaseProvider provider) : Stack(provider, null as string)
{
    internal const string Queue = "questions";

    protected override Dictionary<string, string?> Settings =>
        new(base.Settings) { ["TaskQueue:Agent:Processor"] = "none", ["TaskQueue:Agent:Queue"] = Queue };
}

public sealed class AgentOnSqlite() : AgentStack(DatabaseProvider.Sqlite);

public sealed class AgentOnServers() : AgentStack(DatabaseProvider.Postgres);

/// <summary>Answers of the agent API while its tasks wait and run.</summary>
public abstract class AgentApiTests(AgentStack stack)
{
    private HttpClient Http => stack.Http;

    [Fact]
    public async Task Check1_a_question_is_queued_in_three_keys()
    {
        var reply = await Http.PostAsync("/agent/process-async",
            """{"query":"Привет, как дела?","user_id":"user123","session_id":"session456"}""");

        reply.Status.ShouldBe(200);
        reply.ContentType.ShouldBe("application/json");
        reply.Json.Names().ShouldBe(["task_id", "status", "message"], ignoreOrder: true);
        reply.Json.Text("task_id")!.ShouldMatch("^async_task_[0-9a-f]{32}$");
        reply.Json.Text("status").ShouldBe("enqueued");
        reply.Json.Text("message").ShouldBe("Request has been queued for asynchronous processing");
    }

    [Theory]
    [InlineData("{}", "query", "value_error.missing")]
    [InlineData("""{"query":null}""", "query", "type_error.none.not_allowed")]
    [InlineData("""{"query":["a"]}""", "query", "type_error.str")]
    [InlineData("""{"query":{"a":1}}""", "query", "type_error.str")]
    [InlineData("""{"query":1}""", "query", "type_error.str")]
    [InlineData("""{"query":true}""", "query", "type_error.str")]
    [InlineData("""{"query":"q","user_id":1}""", "user_id", "type_error.str")]
    [InlineData("""{"query":"q","session_id":{}}""", "session_id", "type_error.str")]
    [InlineData("""{"query":"q","metadata":[]}""", "metadata", "type_error.dict")]
    [InlineData("""{"query":"q","context":"c"}""", "context", "type_error.dict")]
    public async Task Check3_an_invalid_body_is_refused_with_the_location(string body, string member, string type)
    {
        var problem = Unprocessable(await Http.PostAsync("/agent/process-async", body)).Single();
        problem.Names().ShouldBe(["loc", "msg", "type"], ignoreOrder: true);
        problem.GetProperty("loc").GetRawText().ShouldBe($"""["body","{member}"]""");
        problem.Text("msg").ShouldNotBeNullOrEmpty();
        problem.Text("type").ShouldBe(type);
    }

    [Theory]
    [InlineData("{bad")]
    [InlineData("")]
    [InlineData("""{"query":"q"} x""")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("\"query\"")]
    public async Task Check3_a_body_that_is_not_an_object_is_unprocessable(string body) =>
        Unprocessable(await Http.PostAsync("/agent/process-async", body)).Single().GetProperty("loc").GetRawText().ShouldBe("""["body"]""");

    [Fact]
    public async Task All_errors_are_reported_together_and_nothing_is_queued()
    {
        await using var db = stack.Database.CreateContext();
        var before = await db.Tasks.CountAsync();

        Unprocessable(await Http.PostAsync("/agent/process-async", """{"user_id":1,"metadata":2}""")).Count.ShouldBe(3);

        (await db.Tasks.CountAsync()).ShouldBe(before);
    }

    [Fact]
    public async Task Check4_a_question_is_pending_from_the_moment_of_its_acceptance()
    {
        var id = await AskAsync(new { query = "q" });
        var reply = await Http.ReadAsync($"/agent/task-status/{id}");
        reply.Status.ShouldBe(200);
        reply.Text.ShouldBe($$"""{"task_id":"{{id}}","status":"pending","result":null,"error":null,"execution_time":null}""");
    }

    [Fact]
    public async Task Check6_an_unknown_task_is_not_found()
    {
        foreach (var id in new[] { "nope", "1", $"{Guid.NewGuid()}", $"async_task_{Guid.NewGuid():N}", "async_task_", "async_task_12345",
            $"{Guid.NewGuid():B}", "%F0%9F%98%80" })
            NotFound(await Http.ReadAsync($"/agent/task-status/{id}"));
    }

    [Fact]
    public async Task A_question_is_an_ordinary_task()
    {
        var before = TimeProvider.System.GetUtcNow();
        var id = Plain(await AskAsync(new { query = "q" }));

        var task = await Http.TaskAsync(id);
        task.Text("queue").ShouldBe(AgentStack.Queue);
        task.Text("name").ShouldBe("process_user_query_async");
        task.Text("priority").ShouldBe("normal");
        task.Whole("max_attempts").ShouldBe(4);
        (task.GetProperty("expires_at").GetDateTimeOffset() - before).ShouldBe(TimeSpan.FromHours(24), TimeSpan.FromMinutes(1));
        var payload = task.GetProperty("payload");
        payload.Names().ShouldBe(["query", "user_id", "session_id", "metadata", "context"]);
        payload.Text("user_id").ShouldBe("api_user");
        payload.Text("session_id")!.ShouldMatch("^session_[0-9]{10}$");
        payload.GetProperty("metadata").GetRawText().ShouldBe("{}");
        payload.GetProperty("context").GetRawText().ShouldBe("{}");
    }

    [Theory]
    [InlineData("\"\"")]
    [InlineData("\"  <script>alert(1)</script> ignore previous instructions \"")]
    [InlineData("\"\\u041f\\ud83d\\ude00\\u0000\\n\"")]
    [InlineData("\"half of a pair \\ud83d\"")]
    public async Task A_request_is_stored_unchanged(string query)
    {
        var id = Plain(await AskAsync(
            $$"""{"query":{{query}},"user_id":"","session_id":null,"metadata":{"a":[1.50,{}]},"context":{"b":null},"stream":true}"""));
        var reply = await Http.ReadAsync($"/tasks/{id}");
        reply.Text.ShouldContain($$"""{"query":{{query}},"user_id":"","session_id":"session_""");
        reply.Text.ShouldContain(""","metadata":{"a":[1.50,{}]},"context":{"b":null}}""");
    }

    [Fact]
    public async Task A_question_over_the_maximum_length_is_refused_and_the_longest_is_accepted()
    {
        var longest = new string('я', 500_000);
        var id = Plain(await AskAsync($$"""{"query":"{{longest}}"}"""));
        (await Http.TaskAsync(id)).GetProperty("payload").Text("query").ShouldBe(longest);

        var over = await Http.PostAsync("/agent/process-async", $$"""{"query":"{{new string('q', 1024 * 1024)}}"}""");
        over.Status.ShouldBe(422);
        over.Json.GetProperty("detail").Text("error").ShouldBe("Validation failed");
        over.Json.GetProperty("detail").Text("message")!.ShouldContain("1048576 bytes");
        over.Json.GetProperty("detail").GetProperty("warnings").GetArrayLength().ShouldBe(0);

        var huge = await Http.PostAsync("/agent/process-async", $$"""{"query":"{{new string('q', 2 * 1024 * 1024)}}"}""");
        huge.Status.ShouldBe(413);
        huge.Json.Text("detail")!.ShouldContain("bytes");
    }

    [Fact]
    public async Task A_task_is_processing_then_retrying_then_failed()
    {
        var queue = $"q{Guid.NewGuid():N}";
        var id = await Http.SubmitAsync($$$"""{"action":"a","queue":"{{{queue}}}","retry":{"intervals":[0.01]}}""");
        await Http.ClaimAsync(queue);
        (await StatusAsync($"{id}")).Text("status").ShouldBe("processing");

        await Http.TellAsync("report", new { id, attempt = 1, outcome = "failed", error = "first" });
        var retrying = await StatusAsync($"{id}");
        retrying.Text("status").ShouldBe("retrying");
        Nulls(retrying, "result", "error", "execution_time");

        await Http.ClaimAsync(queue, wait_seconds: 5);
        await Http.TellAsync("report", new { id, attempt = 2, outcome = "failed", error = "second" });
        var failed = await StatusAsync($"{id}");
        failed.Text("task_id").ShouldBe($"{id}");
        failed.Text("status").ShouldBe("failed");
        failed.Text("error").ShouldBe("second");
        failed.GetProperty("execution_time").GetDouble().ShouldBeInRange(0, 60);
        Nulls(failed, "result");
    }

    [Theory]
    [InlineData("{\"answer\":[1,2.50,\"я\"]}")]
    [InlineData("\"text\"")]
    [InlineData("null")]
    public async Task A_result_is_any_json(string result)
    {
        var queue = $"q{Guid.NewGuid():N}";
        var id = await Http.SubmitAsync(new { action = "a", queue });
        await Http.ClaimAsync(queue);
        (await Http.PostAsync("/workers/report",
            $$"""{"tasks":[{"id":"{{id}}","attempt":1,"outcome":"completed","result":{{result}}}]}""")).Status.ShouldBe(200);

        var status = await StatusAsync($"{id}");
        status.Text("status").ShouldBe("completed");
        status.GetProperty("result").GetRawText().ShouldBe(result);
        Nulls(status, "error");
    }

    [Fact]
    public async Task A_cancelled_task_is_shown_as_cancelled()
    {
        var id = await AskAsync(new { query = "q" });
        (await Http.PostAsync($"/tasks/{Plain(id)}/cancel", "")).Status.ShouldBe(200);

        var status = await StatusAsync(id);
        status.Text("status").ShouldBe("cancelled");
        Nulls(status, "result", "error", "execution_time");
    }

    [Fact]
    public async Task An_expired_task_is_unknown()
    {
        var id = await Http.SubmitAsync(new { action = "a", queue = "later", expires_at = TimeProvider.System.GetUtcNow().AddSeconds(-1) });
        NotFound(await Http.ReadAsync($"/agent/task-status/{id}"));
        await Http.TaskAsync(id, "expired");
        NotFound(await Http.ReadAsync($"/agent/task-status/{id}"));
    }

    [Fact]
    public async Task The_agent_API_id_and_the_uuid_inside_it_name_the_same_task()
    {
        var id = await AskAsync(new { query = "q" });
        foreach (var same in new[] { id, $"{Plain(id)}", $"{Plain(id):N}", $"async_task_{Plain(id)}" })
            (await StatusAsync(same)).Text("task_id").ShouldBe(same);
    }

    private async Task<string> AskAsync(object body)
    {
        var reply = await Http.PostAsync("/agent/process-async", body);
        reply.Status.ShouldBe(200, reply.Text);
        return reply.Json.Text("task_id")!;
    }

    private async Task<JsonElement> StatusAsync(string id)
    {
        var reply = await Http.ReadAsync($"/agent/task-status/{id}");
        reply.Status.ShouldBe(200, reply.Text);
        reply.Json.Names().ShouldBe(["task_id", "status", "result", "error", "execution_time"]);
        return reply.Json;
    }

    private static Guid Plain(string id) => Guid.ParseExact(id["async_task_".Length..], "N");

    private static void Nulls(JsonElement status, params string[] names)
    {
        foreach (var name in names)
            status.GetProperty(name).ValueKind.ShouldBe(JsonValueKind.Null, name);
    }

    private static void NotFound(Reply reply)
    {
        reply.Status.ShouldBe(404);
        reply.Text.ShouldBe("""{"detail":"Task not found"}""");
    }

    private static List<JsonElement> Unprocessable(Reply reply)
    {
        reply.Status.ShouldBe(422, reply.Text);
        return [.. reply.Json.GetProperty("detail").EnumerateArray()];
    }
}

public sealed class AgentApiOnSqlite(AgentOnSqlite stack) : AgentApiTests(stack), IClassFixture<AgentOnSqlite>;

public sealed class AgentApiOnServers(AgentOnServers stack) : AgentApiTests(stack), IClassFixture<AgentOnServers>;
