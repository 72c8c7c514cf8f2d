using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Groups of failures over HTTP and the command line.</summary>
public sealed class FailuresApiTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    public static TheoryData<DatabaseProvider> Providers => [DatabaseProvider.Sqlite, DatabaseProvider.Postgres];

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Failures_are_listed_shown_resolved_and_regress(DatabaseProvider provider)
    {
        await using var stack = await EncryptionStack.CreateAsync(provider);
        await using var host = await stack.StartAsync("k1", "k1");
        var http = host.Http;
        await FailAsync(http, "order 17 of 'marker-4e1d7c' is broken");
        await FailAsync(http, "order 18 of 'Ben' is broken");

        System.Text.Json.JsonElement group = default;
        await Eventually.UntilAsync(async () =>
        {
            var groups = (await http.ReadAsync("/failures?queue=q&kind=error&state=open&name=a")).Json.GetProperty("groups");
            return groups.GetArrayLength() == 1 && (group = groups[0]).Whole("count") == 2;
        }, Deadline, "both failures are in one group");
        group.Names().ShouldBe(["id", "kind", "error_type", "message", "queue", "name", "owner", "state", "regressed", "count",
            "first_seen_at", "last_seen_at", "sample_task_ids", "versions"], ignoreOrder: true);
        (group.Text("message"), group.Text("error_type")).ShouldBe(("order <n> of <text> is broken", "Broken"));
        group.GetProperty("sample_task_ids").GetArrayLength().ShouldBe(2);
        (await stack.FindAsync("marker-4e1d7c")).ShouldBeEmpty();
        (await stack.FindAsync("order <n>")).ShouldBeEmpty();

        var id = group.Text("id")!;
        var details = (await http.ReadAsync($"/failures/{id}")).Json.GetProperty("samples");
        details.EnumerateArray().Select(s => s.Text("stack")).ShouldBe(["at line 7", "at line 7"]);
        details[1].Text("error").ShouldBe("order 17 of 'marker-4e1d7c' is broken");

        var server = http.BaseAddress!;
        (await CommandRun.OfAsync(server, ["failures", "list", "--queue", "q"])).Done().Text.ShouldContain("order <n> of <text> is broken");
        (await CommandRun.OfAsync(server, ["failures", "show", id])).Done().Text.ShouldContain("at line 7");
        (await CommandRun.OfAsync(server, ["failures", "resolve", id])).Done().Lines.ShouldBe([$"{id}  resolved"]);
        (await CommandRun.OfAsync(server, ["failures", "ignore", $"{Guid.NewGuid()}"])).ExitCode.ShouldBe(1);
        (await http.ReadAsync("/failures?state=resolved")).Json.GetProperty("groups").GetArrayLength().ShouldBe(1);

        await FailAsync(http, "order 19 of 'Cid' is broken");
        await Eventually.UntilAsync(async () => (await http.ReadAsync($"/failures/{id}")).Json.GetProperty("regressed").GetBoolean(),
            Deadline, "the next failure opens the group");
        (await http.PostAsync($"/failures/{id}/ignore", "")).Json.Text("state").ShouldBe("ignored");
        (await http.PostAsync($"/failures/{id}/reopen", "")).Json.Text("state").ShouldBe("open");
        var audit = (await http.ReadAsync($"/audit?target=failure/{id}")).Json.GetProperty("records").EnumerateArray().ToList();
        audit.Select(r => r.Text("action")).ShouldBe(["failure.reopen", "failure.ignore", "failure.resolve"]);
        audit[0].GetProperty("before").Text("state").ShouldBe("ignored");
    }

    [Fact]
    public async Task What_is_hidden_from_a_reader_is_hidden_in_logs_and_groups_too()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(
            database.ConnectionString, settings: new Dictionary<string, string?> { ["TaskQueue:Redaction:Members:0"] = "password" });
        var http = host.Http;
        var id = await http.SubmitAsync(new { action = "a", queue = "q", data = new { password = "hunter22" } });
        await http.ClaimAsync("q");
        (await http.TellAsync("report", new { id, attempt = 1, outcome = "failed", error = "login as hunter22 failed", retryable = false,
            error_type = "Hunter22.Error", stack = "at Login(hunter22)",
            logs = new[] { new { message = "trying hunter22" } } })).ShouldBe(["ok"]);

        var log = (await http.ReadAsync($"/tasks/{id}/logs")).Text;
        log.ShouldContain("trying ***");
        string? group = null;
        await Eventually.UntilAsync(async () =>
        {
            var groups = (await http.ReadAsync("/failures")).Json.GetProperty("groups");
            return groups.GetArrayLength() == 1 && (group = groups[0].Text("id")) is not null;
        }, Deadline, "the failure is counted");
        var shown = (await http.ReadAsync($"/failures/{group}")).Text;
        shown.ShouldContain("login as *** failed");
        shown.ShouldContain("at Login(***)");
        shown.ShouldNotContain("Hunter22");
        (await http.DeleteAsync($"/tasks/{id}")).EnsureSuccessStatusCode();
        var afterwards = (await http.ReadAsync($"/failures/{group}")).Text + (await http.ReadAsync("/failures")).Text;
        foreach (var text in new[] { log, shown, afterwards })
            text.ShouldNotContain("hunter22");
    }

    [Fact]
    public async Task Bad_requests_are_refused_with_a_remedy()
    {
        await using var stack = await EncryptionStack.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await stack.StartAsync(null);
        foreach (var (query, problem) in new[]
        {
            ("state=closed", "open, resolved or ignored"), ("kind=x", "error or crash"), ("limit=201", "1 to 200"), ("limit=x", "1 to 200"),
            ("cursor=x", "next_cursor"), ("cursor=99999999999999999999-1", "next_cursor"), ("page=1", "no query parameter 'page'"),
            ("queue=a&queue=b", "queue must have one value"), ("name=%00", "text must not contain"),
        })
        {
            var reply = await host.Http.ReadAsync($"/failures?{query}");
            reply.Status.ShouldBe(400, query);
            reply.Text.ShouldContain(problem);
        }

        foreach (var path in new[] { "/failures/x", $"/failures/{Guid.NewGuid()}" })
        {
            (await host.Http.ReadAsync(path)).Status.ShouldBe(404);
            (await host.Http.PostAsync($"{path}/resolve", "")).Status.ShouldBe(404);
        }
    }

    private static async Task FailAsync(HttpClient http, string error)
    {
        var id = await http.SubmitAsync(new { action = "a", queue = "q" });
        await http.ClaimAsync("q");
        (await http.TellAsync("report", new { id, attempt = 1, outcome = "failed", error, retryable = false, error_type = "Broken",
            stack = "at line 7" })).ShouldBe(["ok"]);
    }
}
