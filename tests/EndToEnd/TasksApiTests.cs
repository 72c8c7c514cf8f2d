using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The native routes beside the original API's, and the additional fields of the original API's POST.</summary>
public abstract class TasksApiTests(Stack stack)
{
    private static readonly string[] Tags = ["eu", "Größe 😀"];

    private readonly string _queue = $"q{Guid.NewGuid():N}";

    private HttpClient Http => stack.Http;

    [Fact]
    public async Task A_task_shows_all_its_details()
    {
        var scheduled = TimeProvider.System.GetUtcNow().AddHours(1);
        var id = await Http.SubmitAsync(new
        {
            action = "resize",
            data = new { width = 10 },
            queue = $"{_queue}:2",
            priority = "high",
            scheduled_at = scheduled,
            expires_at = scheduled.AddHours(1),
            max_attempts = 7,
        });

        var task = await Http.TaskAsync(id);
        task.Names().ShouldBe(
            [
                "id", "queue", "tier", "name", "priority", "status", "attempt", "max_attempts", "dedupe_key", "ordering_key",
                "tags", "dead_letter", "payload", "result", "error", "progress", "worker", "owner",
                "created_at", "due_at", "expires_at", "started_at", "lease_until", "finished_at", "timeline",
            ],
            ignoreOrder: true);
        task.Id().ShouldBe(id);
        task.Text("queue").ShouldBe(_queue);
        task.Whole("tier").ShouldBe(2);
        task.Text("name").ShouldBe("resize");
        task.Text("priority").ShouldBe("high");
        task.Text("status").ShouldBe("pending");
        task.Whole("attempt").ShouldBe(0);
        task.Whole("max_attempts").ShouldBe(7);
        task.GetProperty("payload").GetProperty("data").Whole("width").ShouldBe(10);
        task.GetProperty("due_at").GetDateTimeOffset().ShouldBe(scheduled, TimeSpan.FromMilliseconds(1));
        task.GetProperty("expires_at").GetDateTimeOffset().ShouldBe(scheduled.AddHours(1), TimeSpan.FromMilliseconds(1));
        foreach (var name in new[] { "result", "error", "worker", "started_at", "lease_until", "finished_at" })
            task.GetProperty(name).ValueKind.ShouldBe(JsonValueKind.Null, name);
        Timeline(task).ShouldBe(["submitted 0"]);
    }

    [Fact]
    public async Task A_task_and_its_claim_show_its_tags()
    {
        var ids = await Http.SubmitManyAsync([new { action = "a", queue = _queue, tags = Tags },
            new { action = "a", queue = _queue, tags = Array.Empty<string>() }]);

        foreach (var task in (List<JsonElement>)[.. await Http.ClaimAsync(_queue, max: 2), await Http.TaskAsync(ids[0]),
            await Http.TaskAsync(ids[1])])
        {
            task.GetProperty("tags").EnumerateArray().Select(t => t.GetString())
                .ShouldBe(task.Id() == ids[0] ? Tags : Array.Empty<string>());
        }
    }

    [Theory]
    [InlineData("\"a\"")]
    [InlineData("[1]")]
    [InlineData("[\"\"]")]
    [InlineData("[\"a,b\"]")]
    [InlineData("[\" a\"]")]
    [InlineData("[\"a\\n\"]")]
    [InlineData("[\"a\",\"a\"]")]
    [InlineData("[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\"]")]
    [InlineData("[\"12345678901234567890123456789012345678901234567890123456789012345\"]")]
    public async Task Bad_tags_are_refused(string tags)
    {
        var reply = await Http.PostAsync("/tasks", $$"""{"action":"a","queue":"{{_queue}}","tags":{{tags}}}""");

        reply.Status.ShouldBe(400, reply.Text);
        reply.Json.Text("error").ShouldStartWith("tags must be at most 16 different texts");
    }

    [Fact]
    public async Task The_timeline_lists_every_event_in_order()
    {
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue });
        var claimed = (await Http.ClaimAsync(_queue, worker: "anna")).Single();
        await Http.TellAsync("report", new { id, attempt = 1, outcome = "failed", error = "no luck", retryable = false });
        (await Http.PostAsync($"/tasks/{id}/retry", "")).Status.ShouldBe(200);
        await Http.ClaimAsync(_queue, worker: "ben");
        await Http.TellAsync("report", new { id, attempt = 2, outcome = "completed", result = new { size = 3 } });

        var task = await Http.TaskAsync(id);
        Timeline(task).ShouldBe(["submitted 0", "started 1", "failed 1", "submitted 1", "started 2", "completed 2"]);
        var steps = task.GetProperty("timeline").EnumerateArray().ToList();
        steps[0].Names().ShouldBe(["event", "attempt", "at", "due_at", "worker", "error"], ignoreOrder: true);
        steps.ConvertAll(s => s.GetProperty("at").GetDateTimeOffset()).ShouldBeInOrder();
        steps[2].Text("error").ShouldBe("no luck");
        steps[2].Text("worker").ShouldBe("anna");
        steps[5].Text("worker").ShouldBe("ben");
        task.Text("status").ShouldBe("completed");
        task.GetProperty("result").Whole("size").ShouldBe(3);
        task.GetProperty("error").ValueKind.ShouldBe(JsonValueKind.Null);
        claimed.Id().ShouldBe(id);
    }

    [Fact]
    public async Task An_unknown_task_is_not_found()
    {
        foreach (var id in new[] { Guid.NewGuid().ToString(), "nope", "%F0%9F%98%80", "1" })
        {
            Problems.Expect(await Http.ReadAsync($"/tasks/{id}"), 404, "not_found");
            Problems.Expect(await Http.PostAsync($"/tasks/{id}/cancel", ""), 404, "not_found");
            Problems.Expect(await Http.PostAsync($"/tasks/{id}/retry", ""), 404, "not_found");
        }
    }

    [Fact]
    public async Task A_waiting_task_is_cancelled_for_good()
    {
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue });
        for (var i = 0; i < 2; i++)
        {
            var reply = await Http.PostAsync($"/tasks/{id}/cancel", "");
            reply.Status.ShouldBe(200);
            reply.Text.ShouldBe($$"""{"id":"{{id}}","status":"cancelled"}""");
        }

        (await Http.ClaimAsync(_queue)).ShouldBeEmpty();
        var task = await Http.TaskAsync(id);
        task.Text("status").ShouldBe("cancelled");
        task.GetProperty("finished_at").ValueKind.ShouldBe(JsonValueKind.String);
        Timeline(task).ShouldBe(["submitted 0", "cancelled 0"]);
    }

    [Fact]
    public async Task A_running_task_is_cancelled_and_its_worker_is_refused()
    {
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue });
        await Http.ClaimAsync(_queue);
        (await Http.PostAsync($"/tasks/{id}/cancel", "")).Status.ShouldBe(200);

        (await Http.TellAsync("report", new { id, attempt = 1, outcome = "completed" })).ShouldBe(["finished"]);
        (await Http.TaskAsync(id)).Text("status").ShouldBe("cancelled");
    }

    [Fact]
    public async Task A_task_that_has_ended_is_not_cancelled()
    {
        foreach (var outcome in new[] { "completed", "failed" })
        {
            var id = await Http.SubmitAsync(new { action = "a", queue = _queue });
            await Http.ClaimAsync(_queue);
            await Http.TellAsync("report", new { id, attempt = 1, outcome, error = "e", retryable = false });
            Problems.Expect(await Http.PostAsync($"/tasks/{id}/cancel", ""), 409, "finished");
            (await Http.TaskAsync(id)).Text("status").ShouldBe(outcome);
        }
    }

    [Fact]
    public async Task A_cancelled_task_runs_again_when_retried()
    {
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue });
        await Http.PostAsync($"/tasks/{id}/cancel", "");
        var reply = await Http.PostAsync($"/tasks/{id}/retry", "");
        reply.Status.ShouldBe(200);
        reply.Text.ShouldBe($$"""{"id":"{{id}}","status":"pending"}""");
        (await Http.ClaimAsync(_queue)).Single().Id().ShouldBe(id);
        Problems.Expect(await Http.PostAsync($"/tasks/{id}/retry", ""), 409, "not_allowed");
        await Http.TellAsync("report", new { id, attempt = 1, outcome = "completed" });
        Problems.Expect(await Http.PostAsync($"/tasks/{id}/retry", ""), 409, "not_allowed");
    }

    [Fact]
    public async Task A_built_in_action_with_bad_data_fails_at_once_with_its_error()
    {
        var id = await Http.SubmitAsync("""{"action":"sum","data":{"numbers":[1,"two"]}}""");
        var task = await Http.TaskAsync(id, "failed");
        task.Text("error").ShouldBe("data.numbers must hold numbers only");
        task.Whole("attempt").ShouldBe(1);
        Timeline(task).ShouldBe(["submitted 0", "started 1", "failed 1"]);

        (await Http.PostAsync($"/tasks/{id}/retry", "")).Status.ShouldBe(200);
        await Eventually.UntilAsync(async () => (await Http.TaskAsync(id)).Whole("attempt") == 2, TestHttp.Patience, "the retry ran");
        await Http.TaskAsync(id, "failed");
    }

    [Fact]
    public async Task A_task_that_is_not_started_in_time_expires()
    {
        var id = await Http.SubmitAsync(
            new { action = "a", queue = _queue, expires_at = TimeProvider.System.GetUtcNow().AddMilliseconds(200) });
        var task = await Http.TaskAsync(id, "expired");
        Timeline(task).ShouldBe(["submitted 0", "expired 0"]);
        (await Http.ClaimAsync(_queue)).ShouldBeEmpty();
        Problems.Expect(await Http.PostAsync($"/tasks/{id}/cancel", ""), 409, "finished");
    }

    [Fact]
    public async Task A_scheduled_built_in_action_waits_for_its_time()
    {
        var due = TimeProvider.System.GetUtcNow().AddMilliseconds(400);
        var id = await Http.SubmitAsync(new { action = "zzz", scheduled_at = due });
        var task = await Http.TaskAsync(id, "completed");
        // Truncated to microseconds on its way.
        task.GetProperty("started_at").GetDateTimeOffset().ShouldBeGreaterThanOrEqualTo(due.AddMicroseconds(-1));
    }

    [Fact]
    public async Task Many_tasks_are_accepted_in_the_order_of_the_request()
    {
        var ids = await Http.SubmitManyAsync(Enumerable.Range(0, 1000).Select(i => new { action = $"a{i}", queue = _queue }));
        ids.Distinct().Count().ShouldBe(1000);
        var claimed = await Http.ClaimAsync(_queue, max: 1000);
        claimed.ConvertAll(t => t.Id()).ShouldBe(ids);
        claimed.ConvertAll(t => t.Text("name")).ShouldBe(Enumerable.Range(0, 1000).Select(i => $"a{i}"));
        (await Http.SubmitManyAsync([new { action = "a", queue = _queue }])).Count.ShouldBe(1);
    }

    [Fact]
    public async Task One_invalid_task_rejects_the_whole_bulk_request()
    {
        var good = $$"""{"action":"a","queue":"{{_queue}}"}""";
        foreach (var bad in new[]
        {
            "{}", "1", """{"action":"a","priority":"urgent"}""", """{"action":"a","max_attempts":0}""", """{"action":"a","queue":"a b"}""",
        })
        {
            var code = bad is "{}" or "1" ? "action_required" : "invalid_task";
            var problem = Problems.Expect(await Http.PostAsync("/tasks/bulk", $$"""{"tasks":[{{good}},{{bad}},{{good}}]}"""), 400, code);
            problem.Text("detail")!.ShouldContain("tasks[1]");
        }

        foreach (var count in new[] { 0, 1001 })
            Problems.Expect(await Http.PostAsync("/tasks/bulk",
                $$"""{"tasks":[{{string.Join(',', Enumerable.Repeat(good, count))}}]}"""), 400, "invalid_request");
        (await Http.ClaimAsync(_queue)).ShouldBeEmpty();
        await using var db = stack.Database.CreateContext();
        (await db.Tasks.AnyAsync(t => t.Queue == _queue)).ShouldBeFalse();
    }

    [Theory]
    [InlineData("""{"action":"a","queue":""}""")]
    [InlineData("""{"action":"a","queue":"a b"}""")]
    [InlineData("""{"action":"a","queue":"a:b"}""")]
    [InlineData("""{"action":"a","queue":"a:65536"}""")]
    [InlineData("""{"action":"a","queue":"a:-1"}""")]
    [InlineData("""{"action":"a","queue":7}""")]
    [InlineData("""{"action":"a","priority":"urgent"}""")]
    [InlineData("""{"action":"a","priority":"low,high"}""")]
    [InlineData("""{"action":"a","priority":"3"}""")]
    [InlineData("""{"action":"a","priority":3}""")]
    [InlineData("""{"action":"a","scheduled_at":"soon"}""")]
    [InlineData("""{"action":"a","scheduled_at":1}""")]
    [InlineData("""{"action":"a","scheduled_at":60.5}""")]
    [InlineData("""{"action":"a","scheduled_at":1e999}""")]
    [InlineData("""{"action":"a","scheduled_at":1893456000000}""")]
    [InlineData("""{"action":"a","scheduled_at":"12:00"}""")]
    [InlineData("""{"action":"a","scheduled_at":"1.5"}""")]
    [InlineData("""{"action":"a","scheduled_at":"Jan 5"}""")]
    [InlineData("""{"action":"a","scheduled_at":"03/04/2030"}""")]
    [InlineData("""{"action":"a","expires_at":"2030-01-31"}""")]
    [InlineData("""{"action":"a","expires_at":"2030-01-31T12:00:00"}""")]
    [InlineData("""{"action":"a","expires_at":"\ud800"}""")]
    [InlineData("""{"action":"a","scheduled_at":"1066-01-01T00:00:00Z"}""")]
    [InlineData("""{"action":"a","expires_at":"9999-12-31T23:59:59Z"}""")]
    [InlineData("""{"action":"a","max_attempts":0}""")]
    [InlineData("""{"action":"a","max_attempts":101}""")]
    [InlineData("""{"action":"a","max_attempts":1.5}""")]
    [InlineData("""{"action":"a","max_attempts":1e308}""")]
    [InlineData("""{"action":"a","max_attempts":"3"}""")]
    public async Task An_invalid_additional_field_is_refused_in_the_original_error_format(string body)
    {
        var reply = await Http.PostAsync("/tasks", body);
        reply.Status.ShouldBe(400);
        reply.ContentType.ShouldBe("application/json");
        reply.Json.Names().ShouldBe(["error"]);
        var member = JsonSerializer.Deserialize<JsonElement>(body).Names()[1];
        reply.Json.Text("error")!.ShouldContain(member);
    }

    [Fact]
    public async Task Additional_fields_that_are_null_count_as_absent()
    {
        var id = await Http.SubmitAsync(
            """{"action":"a","data":{ },"queue":null,"priority":null,"scheduled_at":null"""
            + ""","expires_at":null,"max_attempts":null}""");
        var task = await Http.TaskAsync(id, "completed");
        task.Text("queue").ShouldBe("tasks");
        task.Text("priority").ShouldBe("normal");
        task.Whole("max_attempts").ShouldBe(4);
        task.GetProperty("payload").Names().ShouldBe(["id", "action", "data", "created_at"]);
        task.GetProperty("payload").GetProperty("data").GetRawText().ShouldBe("[]");
    }

    private static IEnumerable<string> Timeline(JsonElement task) =>
        task.GetProperty("timeline").EnumerateArray().Select(s => $"{s.Text("event")} {s.Whole("attempt")}");
}

public sealed class TasksApiOnSqlite(SqliteStack stack) : TasksApiTests(stack), IClassFixture<SqliteStack>;

public sealed class TasksApiOnServers(ServersStack stack) : TasksApiTests(stack), IClassFixture<ServersStack>;

public sealed class TasksApiOnSplitRoles(SplitStack stack) : TasksApiTests(stack), IClassFixture<SplitStack>;
