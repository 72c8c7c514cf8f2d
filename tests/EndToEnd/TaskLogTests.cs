using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What workers log: over HTTP, its limits, and where it is stored.</summary>
public sealed class TaskLogTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    public static TheoryData<DatabaseProvider> Providers => [DatabaseProvider.Sqlite, DatabaseProvider.Postgres];

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Lines_of_heartbeats_and_reports_are_read_in_order_and_in_pages(DatabaseProvider provider)
    {
        await using var stack = await EncryptionStack.CreateAsync(provider);
        await using var host = await stack.StartAsync("k1", "k1");
        var http = host.Http;
        var id = await http.SubmitAsync(new { action = "a", queue = "q" });
        await http.ClaimAsync("q", lease_seconds: 60);

        await TellAsync(http, "heartbeat", new { id, attempt = 1, logs = new object[] { new { message = "one-4e1d7c" },
            new { message = "two", level = "warning", at = "2026-01-02T03:04:05Z" } } }, "ok");
        await TellAsync(http, "heartbeat", new { id, attempt = 2, logs = new[] { new { message = "of another attempt" } } },
            "stale_attempt");
        var last = new { id, attempt = 1, outcome = "failed", error = "broken", retryable = false, error_type = "Some.Exception",
            stack = "at line 1", logs = new[] { new { message = "three", level = "error" } } };
        await TellAsync(http, "report", last, "ok");
        await TellAsync(http, "report", last, "duplicate");

        var log = (await http.ReadAsync($"/tasks/{id}/logs")).Json;
        log.Names().ShouldBe(["entries", "next_cursor"]);
        log.GetProperty("entries").EnumerateArray().Select(e => (e.Whole("attempt"), e.Text("level"), e.Text("message"))).ShouldBe(
            [(1, "info", "one-4e1d7c"), (1, "warning", "two"), (1, "error", "three")]);
        log.GetProperty("entries")[1].GetProperty("at").GetDateTime().ShouldBe(new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc));
        (await stack.FindAsync("one-4e1d7c")).ShouldBeEmpty();

        var read = new List<string?>();
        for (var query = "?limit=2"; query is not null;)
        {
            var page = (await http.ReadAsync($"/tasks/{id}/logs{query}")).Json;
            read.AddRange(page.GetProperty("entries").EnumerateArray().Select(e => e.Text("message")));
            query = page.Text("next_cursor") is { } cursor ? $"?limit=2&cursor={cursor}" : null;
        }

        read.ShouldBe(["one-4e1d7c", "two", "three"]);
        (await CommandRun.OfAsync(http.BaseAddress!, ["logs", $"{id}"])).Done().Text.ShouldContain("one-4e1d7c");
        (await CommandRun.OfAsync(http.BaseAddress!, ["logs", $"{id}", "--json"])).Done().Json.GetProperty("entries").GetArrayLength()
            .ShouldBe(3);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task The_newest_lines_are_kept_and_they_go_with_their_task(DatabaseProvider provider)
    {
        await using var stack = await EncryptionStack.CreateAsync(provider);
        await using var host = await stack.StartAsync(null);
        var http = host.Http;
        var many = await http.SubmitAsync(new { action = "a", queue = "q" });
        var large = await http.SubmitAsync(new { action = "a", queue = "q" });
        await http.ClaimAsync("q", max: 2, lease_seconds: 60);
        for (var i = 0; i < 12; i++)
        {
            var lines = Enumerable.Range(i * 100, 100).Select(n => new { message = $"line {n}" });
            await TellAsync(http, "heartbeat", new { id = many, attempt = 1, logs = lines }, "ok");
            var line = new { message = $"{i}{new string('x', 9999)}" };
            await TellAsync(http, "heartbeat", new { id = large, attempt = 1, logs = new[] { line } }, "ok");
        }

        var first = (await http.ReadAsync($"/tasks/{many}/logs?limit=2")).Json.GetProperty("entries");
        first.GetArrayLength().ShouldBe(2);
        first[0].Text("message")!.ShouldStartWith("200 older lines were dropped");
        first[1].Text("message").ShouldBe("line 200");
        var alone = (await http.ReadAsync($"/tasks/{many}/logs?limit=1")).Json;
        alone.GetProperty("entries").GetArrayLength().ShouldBe(1);
        var next = (await http.ReadAsync($"/tasks/{many}/logs?limit=1&cursor={alone.Text("next_cursor")}")).Json.GetProperty("entries");
        next.EnumerateArray().Select(e => e.Text("message")).ShouldBe(["line 200"]);
        var kept = (await http.ReadAsync($"/tasks/{large}/logs?limit=200")).Json.GetProperty("entries").EnumerateArray().ToList();
        kept[0].Text("message")!.ShouldStartWith("6 older lines were dropped");
        kept.Count.ShouldBe(7);
        kept[^1].Text("message")!.ShouldStartWith("11x");

        (await http.DeleteAsync($"/tasks/{many}")).EnsureSuccessStatusCode();
        (await http.ReadAsync($"/tasks/{many}/logs")).Status.ShouldBe(404);
        await Eventually.UntilAsync(async () =>
        {
            await http.PostAsync("/maintenance/task-retention/run", "");
            return !await HasRowsAsync(stack, many);
        }, Deadline, "the lines of the deleted task are removed");
        (await HasRowsAsync(stack, large)).ShouldBeTrue();
    }

    [Theory]
    [InlineData("""{"logs":[{"message":""}]}""", "logs[0] needs a message")]
    [InlineData("""{"logs":[null]}""", "logs[0] needs a message")]
    [InlineData("""{"logs":[{"message":"x","level":"loud"}]}""", "debug, info, warning or error")]
    [InlineData("""{"logs":[{"message":"x","at":"2026-01-02T03:04:05"}]}""", "logs[0].at must be a time with a zone")]
    [InlineData("""{"logs":[{"message":"x","at":"12:00"}]}""", "logs[0].at must be a time with a zone")]
    [InlineData("""{"logs":[{"message":"x","at":true}]}""", "logs[0].at must be a time with a zone")]
    [InlineData("""{"logs":"x"}""", "wrong type")]
    [InlineData("""{"error_type":"a\nb"}""", "error_type must have at most 200 characters")]
    public async Task Bad_lines_and_types_are_refused_with_a_remedy(string members, string problem)
    {
        await using var stack = await EncryptionStack.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await stack.StartAsync(null);
        var entry = $$"""{"id":"{{Guid.NewGuid()}}","attempt":1,"outcome":"failed","error":"x",{{members[1..]}}""";
        var reply = await host.Http.PostAsync("/workers/report", $$"""{"tasks":[{{entry}}]}""");
        reply.Status.ShouldBe(400);
        reply.Text.ShouldContain(problem);
    }

    [Fact]
    public async Task Too_many_lines_and_bytes_and_unknown_parameters_are_refused()
    {
        await using var stack = await EncryptionStack.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await stack.StartAsync(null);
        var http = host.Http;
        var id = await http.SubmitAsync(new { action = "a", queue = "q" });
        foreach (var (lines, length) in new[] { (101, 1), (2, 33_000) })
        {
            var logs = Enumerable.Repeat(new { message = new string('x', length) }, lines);
            var reply = await http.PostAsync("/workers/heartbeat", new { tasks = new[] { new { id, attempt = 1, logs } } });
            reply.Status.ShouldBe(400);
            reply.Text.ShouldContain("at most 100 lines");
        }

        (await http.PostAsync("/workers/report",
            new { tasks = new[] { new { id, attempt = 1, outcome = "failed", error = "x", stack = new string('x', 16_385) } } }))
            .Text.ShouldContain("stack must have at most 16384 bytes");
        foreach (var query in new[] { "limit=0", "limit=201", "cursor=x", "page=2" })
            (await http.ReadAsync($"/tasks/{id}/logs?{query}")).Status.ShouldBe(400, query);
        (await http.ReadAsync("/tasks/nothing/logs")).Status.ShouldBe(404);
        (await http.ReadAsync($"/tasks/{Guid.NewGuid()}/logs")).Status.ShouldBe(404);
    }

    private static async Task TellAsync(HttpClient http, string verb, object entry, string code) =>
        (await http.TellAsync(verb, entry)).ShouldBe([code]);

    private static async Task<bool> HasRowsAsync(EncryptionStack stack, Guid id)
    {
        await using var db = stack.Database.CreateContext();
        return await db.TaskLogs.AnyAsync(r => r.TaskId == id);
    }
}
