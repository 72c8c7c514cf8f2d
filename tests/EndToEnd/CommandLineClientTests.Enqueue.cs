using System.Text;
using Microsoft.AspNetCore.Http;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

public sealed partial class CommandLineClientTests
{
    [Fact]
    public async Task A_task_is_enqueued_with_every_command_line_option()
    {
        var run = (await RunAsync(
            "enqueue", _queue, "mail", """{"to":"größe \"x\""}""", "--tier", "2", "--priority", "high", "--delay", "1h",
            "--expires", "2040-01-01T00:00:00Z", "--dedupe-key", "k", "--ordering-key", "t", "--max-attempts", "5", "--retry", "1,2.5",
            "--callback-url", "https://example.com/x")).Done();
        var cells = run.Text.Split("  ");
        cells[1].ShouldBe("queued");
        var task = await Http.TaskAsync(Guid.Parse(cells[0]));
        (task.Text("queue"), task.Whole("tier"), task.Text("name"), task.Text("priority")).ShouldBe((_queue, 2, "mail", "high"));
        task.GetProperty("payload").GetProperty("data").Text("to").ShouldBe("größe \"x\"");
        (task.Text("dedupe_key"), task.Text("ordering_key"), task.Whole("max_attempts")).ShouldBe(("k", "t", 5));
        (task.GetProperty("due_at").GetDateTime() - task.GetProperty("created_at").GetDateTime()).TotalMinutes.ShouldBe(60, tolerance: 1);
        task.GetProperty("expires_at").GetDateTime().Year.ShouldBe(2040);

        (await RunAsync("enqueue", $"{_queue}:2", "mail", "--dedupe-key", "k", "--json")).Done().Json.Text("status").ShouldBe("duplicate");
        (await RunAsync("enqueue", _queue, "mail", "--priority", "huge")).Refused(1, "priority");
        (await RunAsync("enqueue", "no queue", "mail")).Refused(1, "queue");
    }

    [Fact]
    public async Task Data_is_read_from_standard_input_and_a_leading_at_sign_names_no_file()
    {
        var run = (await CommandRun.OfAsync(Http.BaseAddress!, ["enqueue", _queue, "@mail", "-"], input: """{"to":"@ann"}""")).Done();
        var task = await Http.TaskAsync(Guid.Parse(run.Text.Split("  ")[0]));
        (task.Text("name"), task.GetProperty("payload").GetProperty("data").Text("to")).ShouldBe(("@mail", "@ann"));
    }

    [Fact]
    public async Task Waiting_prints_the_result_or_reports_that_there_is_none()
    {
        (await RunAsync("enqueue", "tasks", "echo", "--wait")).Done().Text.ShouldBe("""{"output":"processed"}""");
        (await RunAsync("enqueue", "tasks", "echo", "--json", "--wait=20")).Done().Json.Text("status").ShouldBe("completed");
        (await RunAsync("enqueue", _queue, "later", "--wait", "0.3")).Refused(1, "not ended", "0.3").Lines.ShouldBeEmpty();

        using var waiting = TaskQueueProcess.StartCommand(["enqueue", $"{_queue}f", "mail", "--max-attempts", "1", "--wait"],
            CommandRun.Environment(Http.BaseAddress!));
        var task = (await Http.ClaimAsync($"{_queue}f", wait_seconds: 20)).Single();
        await Http.TellAsync("report", new { id = task.Id(), attempt = 1, outcome = "failed", error = "no such address" });
        (await waiting.WaitAsync(TestHttp.Patience)).ShouldBe(1);
        waiting.Errors.ShouldBe([$"taskqueue: task {task.Id()} is failed: no such address"]);
    }

    [Fact]
    public async Task A_file_is_enqueued_in_chunks_and_refused_lines_are_skipped()
    {
        await DeclareAsync(new { });
        var (path, bad) = await WriteAsync(2500);
        var run = await RunAsync("enqueue", _queue, "mail", "--file", path, "--json");
        run.ExitCode.ShouldBe(1, run.All);
        var json = run.Json;
        (json.Whole("lines"), json.Whole("accepted"), json.Whole("duplicate"), json.Whole("refused"))
            .ShouldBe((2500, 2500 - bad.Count - 2, 1, bad.Count));
        json.GetProperty("errors").EnumerateArray().Select(e => e.Whole("line")).ShouldBe(bad.Keys);
        foreach (var error in json.GetProperty("errors").EnumerateArray())
            error.Text("error")!.ShouldContain(bad[error.Whole("line")]);
        run.Errors.Count.ShouldBe(bad.Count);
        (await CountsAsync()).Whole("waiting").ShouldBe(2500 - bad.Count - 2);

        var tasks = await Http.ClaimAsync(_queue, max: 3);
        tasks.Select(t => t.GetProperty("payload").GetProperty("data").Whole("n")).ShouldBe([1, 2, 3], "in the order of the file");
        (tasks[0].GetProperty("payload").Text("action"), tasks[1].GetProperty("payload").Text("action")).ShouldBe(("mail", "special"));
    }

    [Fact]
    public async Task A_file_can_stop_at_the_first_refused_line()
    {
        await DeclareAsync(new { });
        foreach (var (line, word) in new[] { ("{oops", "JSON"), ("""{"data":{},"priority":"huge"}""", "priority") })
        {
            var lines = Enumerable.Range(1, 1200).Select(n => n == 1150 ? line : """{"data":{}}""");
            var run = (await CommandRun.OfAsync(Http.BaseAddress!, ["enqueue", _queue, "mail", "--stop-on-error", "--file", "-"],
                input: string.Join('\n', lines))).Refused(1, "line 1150", word);
            run.Text.ShouldStartWith("1149 accepted");
        }

        (await CountsAsync()).Whole("waiting").ShouldBe(2 * 1149);
    }

    [Fact]
    public async Task A_valid_file_exits_with_0_and_a_missing_one_with_1()
    {
        await DeclareAsync(new { });
        (await CommandRun.OfAsync(Http.BaseAddress!, ["enqueue", _queue, "mail", "--file", "-"],
            input: "{}\r\n\r\n  \n{\"priority\":\"low\"}")).Done().Text.ShouldStartWith("2 accepted");
        (await RunAsync("enqueue", "--file", "/none/such.jsonl")).Refused(1, "/none/such.jsonl");
        (await CommandRun.OfAsync(Nowhere, ["enqueue", _queue, "mail", "--file", "-", "--json"], input: "{}")).ExitCode.ShouldBe(1);
    }

    [Fact]
    public async Task A_request_without_a_response_is_retried_and_accepted_once()
    {
        await DeclareAsync(new { });
        await using var line = await TestReceiver.StartAsync();
        line.Answer = async (context, time) =>
        {
            var reply = await Http.PostAsync(context.Request.Path, line.All.Last().Body);
            if (time == 1)
            {
                context.Abort(); // the server has accepted it, and the response is lost
                return;
            }

            context.Response.StatusCode = reply.Status;
            await context.Response.WriteAsync(reply.Text);
        };
        var retried = await CommandRun.OfAsync(new Uri(line.Url), ["enqueue", _queue, "mail"]);
        retried.ExitCode.ShouldBe(0, retried.All);
        retried.Errors.ShouldHaveSingleItem().ShouldContain("retrying");
        retried = await CommandRun.OfAsync(new Uri(line.Url), ["enqueue", _queue, "mail", "--file", "-"], input: "{}\n{}\n");
        retried.ExitCode.ShouldBe(0, retried.All);
        retried.Errors.ShouldHaveSingleItem().ShouldContain("retrying");
        retried.Text.ShouldStartWith("2 accepted, 0 updated, 0 duplicate");
        line.All.Count.ShouldBe(4);
        (await CountsAsync()).Whole("waiting").ShouldBe(3);
    }

    /// <summary>A file of n lines with a blank line, a duplicate, and some refused lines, each with a word of its reason.</summary>
    private static async Task<(string Path, SortedDictionary<int, string> Bad)> WriteAsync(int n)
    {
        var path = Path.Combine(Path.GetTempPath(), $"taskqueue-{Guid.NewGuid():N}.jsonl");
        var bad = new SortedDictionary<int, string>
        {
            [10] = "JSON", [11] = "object", [13] = "62 levels", [500] = "priority", [999] = "scheduled_at", [1500] = "UTF-8",
            [1501] = "queue", [2499] = "max_attempts",
        };
        await using var file = File.Create(path);
        await file.WriteAsync("\uFEFF"u8.ToArray());
        for (var i = 1; i <= n; i++)
        {
            var line = i switch
            {
                2 => """{"action":"special","data":{"n":2}}""",
                10 => "{oops",
                11 => "[1]",
                20 => "  ",
                500 => """{"priority":"huge"}""",
                699 => $$"""{"data":{{new string('[', 61)}}{{new string(']', 61)}}}""",
                13 => $$"""{"data":{{new string('[', 62)}}{{new string(']', 62)}}}""",
                999 => """{"scheduled_at":"soon"}""",
                1501 => """{"queue":"no queue"}""",
                2499 => """{"max_attempts":0}""",
                1400 or 2400 => """{"dedupe_key":"same"}""",
                _ => $$$"""{"data":{"n":{{{i}}},"note":"größe"}}""",
            };
            await file.WriteAsync(i == 1500 ? [(byte)'"', 0xFF, (byte)'"'] : Encoding.UTF8.GetBytes(line));
            file.WriteByte((byte)'\n');
        }

        return (path, bad);
    }
}
