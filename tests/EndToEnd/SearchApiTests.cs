using System.Text.Json;
using Shouldly;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>GET /tasks as a search.</summary>
public abstract class SearchApiTests(Stack stack)
{
    private readonly string _queue = $"q{Guid.NewGuid():N}";

    private HttpClient Http => stack.Http;

    [Fact]
    public async Task A_search_shows_tasks_without_their_payload_page_by_page()
    {
        var ids = await Http.SubmitManyAsync(Enumerable.Range(0, 5).Select(n => (object)new
        {
            action = "resize", queue = $"{_queue}:2", tags = new[] { "eu", $"n{n}" }, priority = "high", ordering_key = "k",
        }));
        await Http.SubmitAsync(new { action = "other", queue = _queue });

        var first = (await Http.ReadAsync($"/tasks?queue={_queue}&tag=eu&name=resize&limit=3")).Json;
        var next = (await Http.ReadAsync($"/tasks?queue={_queue}&tag=eu&name=resize&limit=3&cursor={first.Text("next_cursor")}")).Json;

        List<JsonElement> tasks = [.. Tasks(first), .. Tasks(next)];
        tasks.ConvertAll(t => t.Id()).ShouldBe(Enumerable.Reverse(ids));
        next.GetProperty("next_cursor").ValueKind.ShouldBe(JsonValueKind.Null);
        (first.GetProperty("total").Whole("count"), first.GetProperty("total").GetProperty("exact").GetBoolean()).ShouldBe((5, true));
        tasks[0].Names().ShouldBe(
            [
                "id", "queue", "tier", "name", "priority", "state", "attempt", "max_attempts", "tags", "ordering_key", "worker", "owner",
                "batch_id", "schedule", "error", "progress", "created_at", "due_at", "started_at", "finished_at",
            ],
            ignoreOrder: true);
        (tasks[0].Text("queue"), tasks[0].Whole("tier"), tasks[0].Text("state"), tasks[0].Text("priority"), tasks[0].Text("ordering_key"))
            .ShouldBe((_queue, 2, "pending", "high", "k"));
        tasks[0].GetProperty("tags").EnumerateArray().Select(t => t.GetString()).ShouldBe(["eu", "n4"]);
    }

    [Fact]
    public async Task A_failed_task_is_found_by_state_worker_and_error()
    {
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue });
        var worker = $"w{Guid.NewGuid():N}";
        await Http.ClaimAsync(_queue, worker: worker);
        (await Found($"queue={_queue}&state=running&worker={worker}")).ShouldBe([id]);
        await Http.TellAsync("report", new { id, attempt = 1, outcome = "failed", error = "50% lost: no luck", retryable = false });

        foreach (var filter in new[] { "state=failed", "state=completed&state=failed", "error=50%25%20lost", $"worker={worker}",
            "finished_from=2020-01-01T00:00:00Z&finished_to=2100-01-01T00:00:00Z&created_from=0", $"id={id}" })
            (await Found($"queue={_queue}&{filter}")).ShouldBe([id], filter);
        foreach (var filter in new[] { "state=pending", "state=scheduled", "error=51", "worker=other", "finished_to=2020-01-01T00:00:00Z",
            "created_to=1000", "tag=none", "batch=01a20000-0000-4000-8000-000000000001", "ordering_key=k", "name=b" })
            (await Found($"queue={_queue}&{filter}")).ShouldBeEmpty(filter);
    }

    [Fact]
    public async Task A_search_without_filters_has_all_tasks_and_the_original_list_stays()
    {
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue });

        (await Found("search=")).ShouldContain(id);
        foreach (var path in new[] { "/tasks", "/tasks?status=pending", "/tasks?status=none" })
            (await Http.ReadAsync(path)).Json.Names().ShouldBe(["tasks", "count"], path);
    }

    [Theory]
    [InlineData("stat=failed", "there is no parameter stat")]
    [InlineData("status=failed&queue=q", "use state")]
    [InlineData("state=dead", "state must be pending, running")]
    [InlineData("state=", "state must not be empty")]
    [InlineData("queue=a%20b", "queue must be")]
    [InlineData("queue=a:1", "without a tier")]
    [InlineData("queue=a&queue=b", "queue must be given once")]
    [InlineData("tag=a,b", "no such tag")]
    [InlineData("tag=%20a", "no such tag")]
    [InlineData("id=7", "id must be the UUID")]
    [InlineData("batch=7", "batch must be the id")]
    [InlineData("schedule=s", "schedule needs queue")]
    [InlineData("name=%00", "name: text must not contain")]
    [InlineData("created_from=yesterday", "created_from must be a time with a zone")]
    [InlineData("created_to=2030-01-01T00:00:00", "created_to must be a time with a zone")]
    [InlineData("finished_from=-1", "finished_from must be")]
    [InlineData("limit=0", "limit must be 1 to 200")]
    [InlineData("limit=201", "limit must be 1 to 200")]
    [InlineData("limit=x", "limit must be 1 to 200")]
    [InlineData("cursor=x", "cursor must be next_cursor")]
    [InlineData("cursor=", "cursor must be next_cursor")]
    [InlineData("cursor=AAAA&cursor=AAAA", "cursor must be given once")]
    public async Task A_bad_search_says_what_to_change(string query, string message)
    {
        var reply = await Http.ReadAsync($"/tasks?{query}");

        Problems.Expect(reply, 400, "invalid_search");
        reply.Json.Text("detail")!.ShouldContain(message);
    }

    private async Task<List<Guid>> Found(string query)
    {
        var reply = await Http.ReadAsync($"/tasks?{query}");
        reply.Status.ShouldBe(200, reply.Text);
        return [.. Tasks(reply.Json).Select(t => t.Id())];
    }

    private static JsonElement.ArrayEnumerator Tasks(JsonElement page) => page.GetProperty("tasks").EnumerateArray();
}

public sealed class SearchApiOnSqlite(SqliteStack stack) : SearchApiTests(stack), IClassFixture<SqliteStack>;

public sealed class SearchApiOnServers(ServersStack stack) : SearchApiTests(stack), IClassFixture<ServersStack>;
