using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The client commands: the real executable against a real server.</summary>
public sealed partial class CommandLineClientTests(SqliteStack stack) : IClassFixture<SqliteStack>
{
    private static readonly Uri Nowhere = new("http://127.0.0.1:1");

    private readonly string _queue = $"q{Guid.NewGuid():N}"[..12];

    private HttpClient Http => stack.Http;

    [Fact]
    public async Task Queues_are_listed_with_their_counts_and_shown_in_detail()
    {
        await DeclareAsync(new { max_running = 7 });
        await Http.SubmitAsync(new { action = "a", queue = _queue });
        await Http.SubmitAsync(new { action = "a", queue = _queue });
        await Http.ClaimAsync(_queue);

        (await RunAsync("queues")).Done().Row(_queue)[1..5].ShouldBe(["pull", "open", "1", "1"]);
        var json = (await RunAsync("queues", "--json")).Done().Json.GetProperty("queues").EnumerateArray()
            .Single(q => q.Text("name") == _queue);
        (json.Whole("max_running"), json.GetProperty("counts").Whole("waiting"), json.GetProperty("counts").Whole("running"))
            .ShouldBe((7, 1, 1));

        var details = (await RunAsync("queues", _queue)).Done();
        details.Lines.ShouldContain(l => l.StartsWith("max running ") && l.TrimEnd().EndsWith(" 7"));
        details.Lines.ShouldContain(l => l.StartsWith("counts waiting ") && l.TrimEnd().EndsWith(" 1"));
        (await RunAsync("queues", _queue, "--json")).Done().Json.Whole("max_running").ShouldBe(7);
        (await RunAsync("queues", "none-such")).Refused(1, "none-such").Lines.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_queue_is_paused_and_resumed()
    {
        await DeclareAsync(new { });
        (await RunAsync("pause", _queue)).Done().Text.ShouldBe($"{_queue} is paused");
        (await Http.ReadAsync($"/queues/{_queue}")).Json.GetProperty("paused").GetBoolean().ShouldBeTrue();
        (await RunAsync("queues")).Row(_queue)[2].ShouldBe("paused");
        (await RunAsync("resume", _queue, "--json")).Done().Json.GetProperty("paused").GetBoolean().ShouldBeFalse();
        (await RunAsync("pause", "none-such")).Refused(1, "none-such");
    }

    [Fact]
    public async Task Schedules_batches_and_callbacks_are_listed()
    {
        await DeclareAsync(new { });
        await Http.PutAsync($"/queues/{_queue}/schedules/x", new { cron = "0 8 * * *" });
        (await RunAsync("schedules", "list")).Done().Row(_queue)[1].ShouldBe("x");
        (await RunAsync("schedules", "list", "--limit", "0")).Refused(2, "--limit");
        await Http.PutAsync($"/queues/{_queue}/schedules/y", new { cron = "0 8 * * *" });
        var first = await RunAsync("schedules", "list", "--limit", "1", "--json");
        first.Json.GetProperty("schedules").GetArrayLength().ShouldBe(1, first.All);
        first.Errors.ShouldHaveSingleItem().ShouldContain("--limit");
        (await RunAsync("schedules", "next", _queue, "x", "--count", "3")).Done().Lines.Count(l => l.Contains("T08:00:00")).ShouldBe(3);
        (await RunAsync("schedules", "preview", "0 9 * * *", "--json")).Done().Json.GetProperty("next").GetArrayLength().ShouldBe(5);
        (await RunAsync("schedules", "preview", "61 * * * *")).Refused(1, "61");
        (await RunAsync("batches", "list", "--queue", _queue, "--json")).Done().Json.GetProperty("batches").GetArrayLength().ShouldBe(0);
        (await RunAsync("batches", "show", "BATCH-1-2-3")).Refused(1, "BATCH-1-2-3");
        (await RunAsync("batches", "cancel", "BATCH-1-2-3")).Refused(1, "BATCH-1-2-3");
        (await RunAsync("callbacks", "list", "--queue", _queue, "--state", "failed", "--json")).Done().Json.GetProperty("callbacks")
            .GetArrayLength().ShouldBe(0);
        (await RunAsync("callbacks", "list", "--state", "lost")).Refused(1, "state");
        (await RunAsync("callbacks", "resend", $"{Guid.NewGuid()}", "cb_1")).Refused(1, "there is no task");
    }

    [Fact]
    public async Task A_purge_requires_confirmation()
    {
        await DeclareAsync(new { });
        await Http.SubmitAsync(new { action = "a", queue = _queue });
        (await RunAsync("purge", _queue)).Refused(2, "--yes");
        (await CountsAsync()).Whole("waiting").ShouldBe(1);

        var purged = (await RunAsync("purge", _queue, "--yes", "--json")).Done().Json;
        (purged.Text("queue"), purged.Whole("waiting")).ShouldBe((_queue, 1));
        (await CountsAsync()).Whole("waiting").ShouldBe(0);
        (await RunAsync("purge", _queue, "--yes")).Done().Text.ShouldContain("0 waiting");
        (await RunAsync("purge", "none-such", "--yes")).Refused(1, "none-such");
    }

    [Fact]
    public async Task A_quota_is_shown_by_resource()
    {
        var shown = (await RunAsync("quota")).Done();
        shown.Lines.ShouldContain(l => l.StartsWith("waiting_tasks"));
        (await RunAsync("quota", "--tenant", "ann", "--json")).Done().Json.GetProperty("queues").Whole("limit").ShouldBe(1000);
    }

    [Fact]
    public async Task A_task_is_shown_with_its_timeline()
    {
        var id = await Http.SubmitAsync(new { action = "mail", queue = _queue, data = new { to = "ann\u001b[31m" }, max_attempts = 1 });
        await FailAsync(id, "no such\naddress\u001b[2J");

        var shown = (await RunAsync("show", id.ToString())).Done();
        shown.Lines.ShouldContain(l => l.StartsWith("status ") && l.Contains("failed"));
        shown.Lines.ShouldContain(l => l.StartsWith("20") && l.Contains(" started ") && l.Contains(" w "));
        shown.Lines.ShouldContain(l => l.StartsWith("20") && l.Contains(" failed ") && l.Contains("no such address"));
        shown.Text.ShouldNotContain("\u001b", Case.Sensitive, "what others wrote must not steer the terminal");
        var json = (await RunAsync("show", id.ToString(), "--json")).Done().Json;
        JsonElement.DeepEquals(json, await Http.TaskAsync(id)).ShouldBeTrue();
        (await RunAsync("show", Guid.Empty.ToString())).Refused(1, Guid.Empty.ToString());
    }

    [Fact]
    public async Task Tasks_are_cancelled_and_retried_one_by_one()
    {
        var (waiting, ended) = (await Http.SubmitAsync(new { action = "a", queue = _queue }),
            await Http.SubmitAsync(new { action = "echo" }));
        await Http.TaskAsync(ended, "completed");

        var run = await RunAsync("cancel", waiting.ToString(), ended.ToString(), "nonsense");
        run.ExitCode.ShouldBe(1);
        run.Lines.ShouldBe([$"{waiting}  cancelled"]);
        run.Errors.Count.ShouldBe(2, "one line for each that is refused");
        (await Http.TaskAsync(waiting)).Text("status").ShouldBe("cancelled");

        (await RunAsync("retry", waiting.ToString())).Done().Lines.ShouldBe([$"{waiting}  pending"]);
        (await Http.TaskAsync(waiting)).Text("status").ShouldBe("pending");
        var json = (await RunAsync("cancel", waiting.ToString(), ended.ToString(), "--json")).Json.GetProperty("tasks");
        json.GetArrayLength().ShouldBe(2);
        (json[0].Text("status"), json[1].Text("code")).ShouldBe(("cancelled", "finished"));
    }

    [Fact]
    public async Task Dead_letters_of_a_queue_are_retried()
    {
        await DeclareAsync(new { });
        for (var i = 0; i < 2; i++)
            await FailAsync(await Http.SubmitAsync(new { action = "a", queue = _queue, max_attempts = 1 }), "broken");
        (await CountsAsync()).Whole("dead_letters").ShouldBe(2);

        (await RunAsync("retry", "--queue", _queue, "--dead", "--json")).Done().Json.Whole("restarted").ShouldBe(2);
        (await CountsAsync()).Whole("waiting").ShouldBe(2);
        (await RunAsync("retry", "--queue", _queue, "--dead")).Done().Text.ShouldStartWith("0 dead letters");
        (await RunAsync("retry", "--queue", "none-such", "--dead")).Refused(1, "none-such");
    }

    [Fact]
    public async Task Counts_are_shown_once_or_watched_with_rates()
    {
        await DeclareAsync(new { });
        await Http.SubmitAsync(new { action = "a", queue = _queue });
        (await RunAsync("stats", _queue)).Done().Row(_queue)[1..4].ShouldBe(["open", "1", "0"]);
        (await RunAsync("stats", _queue, "--json")).Done().Json.GetProperty("queues")[0].Whole("waiting").ShouldBe(1);
        (await RunAsync("stats", "none-such")).Refused(1, "none-such");

        using var watch = TaskQueueProcess.StartCommand(["stats", _queue, "--watch", "--every", "0.2", "--json"],
            CommandRun.Environment(Http.BaseAddress!));
        await Eventually.UntilAsync(() => Task.FromResult(watch.Results.Count > 0), TestHttp.Patience, "the first look");
        await Http.SubmitAsync(new { action = "a", queue = _queue });
        await Eventually.UntilAsync(
            () => Task.FromResult(watch.Results.Any(l =>
                Queue(l).GetProperty("in_per_second") is { ValueKind: JsonValueKind.Number } rate && rate.GetDouble() > 0)),
            TestHttp.Patience, "a rate of arrivals");
        Queue(watch.Results[0]).GetProperty("in_per_second").ValueKind.ShouldBe(JsonValueKind.Null);
        Queue(watch.Results[^1]).Whole("waiting").ShouldBe(2);
        (await TaskQueueProcess.SignalAsync(watch, Interrupt)).ShouldBe(0);
        watch.Errors.ShouldBeEmpty();

        static JsonElement Queue(string line) => JsonSerializer.Deserialize<JsonElement>(line).GetProperty("queues")[0];
    }

    [Theory]
    [InlineData("queus", "queus")]
    [InlineData("queues a b", "b")]
    [InlineData("queues --roles", "--roles")]
    [InlineData("enqueue q a --prioritty", "--prioritty")]
    [InlineData("show", "ID")]
    [InlineData("cancel", "ID")]
    [InlineData("retry", "--dead")]
    [InlineData("retry --dead", "--queue")]
    [InlineData("retry x --queue q --dead", "--queue")]
    [InlineData("enqueue q", "NAME")]
    [InlineData("enqueue q a {x", "DATA", "JSON")]
    [InlineData("enqueue q a --delay soon", "--delay", "15m")]
    [InlineData("enqueue q a --delay 5 --at 2030-01-01", "--delay", "--at")]
    [InlineData("enqueue q a --at never", "--at", "2030-01-31T12:00:00Z")]
    [InlineData("enqueue q a --retry 1;2", "--retry", "1,10,60")]
    [InlineData("enqueue q:1 a --tier 2", "--tier")]
    [InlineData("enqueue q a --tier -1", "--tier")]
    [InlineData("enqueue q a --max-attempts many", "--max-attempts")]
    [InlineData("enqueue q a --wait long", "--wait")]
    [InlineData("enqueue --file f --wait", "--file")]
    [InlineData("enqueue q a --stop-on-error", "--file")]
    [InlineData("tail --id x", "--id")]
    [InlineData("stats --watch --every 0", "--every")]
    [InlineData("queues --server ftp://host", "ftp://host", "TASKQUEUE_SERVER")]
    [InlineData("queues --server http://ann:secret@host", "TASKQUEUE_KEY")]
    [InlineData("queues --key s\u00e9cret", "TASKQUEUE_KEY")]
    public async Task An_invalid_command_line_exits_with_2_before_any_request(string args, params string[] words)
    {
        var run = (await CommandRun.OfAsync(Nowhere, args.Split(' '))).Refused(2, words);
        run.Lines.ShouldBeEmpty();
        run.All.ShouldNotContain("ecret");
    }

    [Fact]
    public async Task Data_of_too_many_levels_is_refused_before_any_request()
    {
        foreach (var levels in new[] { 63, 64, 65, 1000 })
            (await CommandRun.OfAsync(Nowhere, ["enqueue", "q", "a", new string('[', levels) + new string(']', levels)]))
                .Refused(2, "DATA must be JSON");
    }

    [Fact]
    public async Task A_server_that_cannot_be_reached_is_named()
    {
        foreach (var args in new[] { "queues --json", "enqueue q a", "tail", "stats --watch", "enqueue q a --wait" })
            (await CommandRun.OfAsync(Nowhere, args.Split(' '))).Refused(1, "http://127.0.0.1:1", "--server").Lines.ShouldBeEmpty();
        // --server takes precedence over the variable.
        (await CommandRun.OfAsync(Nowhere, ["queues", "--server", Http.BaseAddress!.ToString()])).Done();
    }

    [Fact]
    public async Task A_key_allows_its_scopes_and_nothing_more()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: new Dictionary<string, string?>
        {
            ["TaskQueue:Auth:ApiKeys:0:Name"] = "ann",
            ["TaskQueue:Auth:ApiKeys:0:Key"] = TestKeys.Of("operator-key"),
            ["TaskQueue:Auth:ApiKeys:0:Scopes:0"] = "admin",
            ["TaskQueue:Auth:ApiKeys:1:Name"] = "ben",
            ["TaskQueue:Auth:ApiKeys:1:Key"] = TestKeys.Of("mails-key"),
            ["TaskQueue:Auth:ApiKeys:1:Queues:0"] = "mails",
        });
        var server = host.Http.BaseAddress!;
        foreach (var args in new[] { "queues", "enqueue mails a", "tail" })
        {
            (await CommandRun.OfAsync(server, args.Split(' '))).Refused(1, "TASKQUEUE_KEY");
            (await CommandRun.OfAsync(server, args.Split(' '), key: "other-key")).Refused(1, "TASKQUEUE_KEY")
                .All.ShouldNotContain("other-key");
        }

        (await CommandRun.OfAsync(server, ["queues"], key: TestKeys.Of("operator-key"))).Done().Row("tasks");
        (await CommandRun.OfAsync(server, ["pause", "tasks"], key: TestKeys.Of("mails-key"))).Refused(1, "admin");
        (await CommandRun.OfAsync(server, ["enqueue", "bills", "a"], key: TestKeys.Of("mails-key"))).Refused(1, "bills");
        (await CommandRun.OfAsync(server, ["enqueue", "mails", "a", "--file", "-"], input: "{}\n{\"queue\":\"bills\"}\n{}",
            key: TestKeys.Of("mails-key")))
            .Refused(1, "line 2: ", "bills").Text.ShouldStartWith("2 accepted");
    }

    [Fact]
    public async Task Without_a_valid_key_the_error_explains_how_to_set_one()
    {
        await using var guard = await TestReceiver.StartAsync();
        guard.Answer = (context, _) =>
        {
            context.Response.StatusCode = (int)HttpStatusCode.Unauthorized;
            return context.Response.WriteAsync("""{"title":"Unauthorized","status":401,"code":"unauthorized"}""");
        };
        (await CommandRun.OfAsync(new Uri(guard.Url), ["queues"])).Refused(1, "TASKQUEUE_KEY", "--key");
        guard.All.Last().Headers.Keys.ShouldNotContain("Authorization");
        var refused = (await CommandRun.OfAsync(new Uri(guard.Url), ["queues"], key: "s3cret")).Refused(1, "TASKQUEUE_KEY", "expired");
        guard.All.Last().Headers["Authorization"].ShouldBe("Bearer s3cret");
        refused.All.ShouldNotContain("s3cret");
        (await CommandRun.OfAsync(new Uri(guard.Url), ["tail", "--key", "other"], key: "s3cret")).Refused(1, "TASKQUEUE_KEY");
        guard.All.Last().Headers["Authorization"].ShouldBe("Bearer other");
    }

    private Task<CommandRun> RunAsync(params string[] args) => CommandRun.OfAsync(Http.BaseAddress!, args);

    private async Task DeclareAsync(object settings) => (await Http.PutAsync($"/queues/{_queue}", settings)).Status.ShouldBe(201);

    private async Task<JsonElement> CountsAsync() => (await Http.ReadAsync($"/queues/{_queue}")).Json.GetProperty("counts");

    private async Task FailAsync(Guid id, string error)
    {
        var task = (await Http.ClaimAsync(_queue)).Single();
        task.Id().ShouldBe(id);
        (await Http.TellAsync("report", new { id, attempt = task.Whole("attempt"), outcome = "failed", error })).ShouldBe(["ok"]);
    }
}
