using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

public sealed partial class CommandLineClientTests
{
    private const int Interrupt = 2; // Ctrl-C

    [Fact]
    public async Task Tail_resumes_after_the_last_event_when_the_connection_is_lost()
    {
        await using var server = await TestReceiver.StartAsync();
        server.Answer = async (context, time) =>
        {
            context.Response.ContentType = "text/event-stream";
            if (time == 2)
                context.Response.StatusCode = 503;
            else if (time == 1)
                await context.Response.WriteAsync($": hello\n\n{Event(1, "submitted")}{Event(2, "started")}id: 3\nevent: completed\ndata: "
                    + $"{{\"task"); // cut off in the middle
            else if (time == 3)
                await context.Response.WriteAsync($"{Event(3, "completed")}{Event(4, "later_word")}event: ping\ndata: {{}}\n\n");
            else
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
        };
        using var tail = TaskQueueProcess.StartCommand(["tail", "--json", "--queue", "a b", "--queue", "c", "--after", "zero"],
            CommandRun.Environment(new Uri(server.Url)));
        await Eventually.UntilAsync(() => Task.FromResult(server.All.Count >= 4), TestHttp.Patience, "the fourth connection");

        (await TaskQueueProcess.SignalAsync(tail, Interrupt)).ShouldBe(0, tail.Output);
        tail.Results.Select(l => JsonSerializer.Deserialize<JsonElement>(l)).Select(e => (e.Text("cursor"), e.Text("event")))
            .ShouldBe([("1", "submitted"), ("2", "started"), ("3", "completed"), ("4", "later_word")]);
        server.All.Select(r => r.Headers["Last-Event-ID"]).Take(4).ShouldBe(["zero", "2", "2", "4"]);
        tail.Errors.Count.ShouldBe(3, "each loss is said");
        tail.Errors.ShouldAllBe(l => l.StartsWith("taskqueue: ") && l.EndsWith("; trying again"));
    }

    [Fact]
    public async Task Tail_shows_every_event_across_a_server_outage()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var first = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database.ConnectionString, rabbitMq: null);
        using var tail = TaskQueueProcess.StartCommand(["tail", "--queue", "live"], CommandRun.Environment(first.Http.BaseAddress!));
        var sent = new List<Guid>();
        await Eventually.UntilAsync(async () =>
        {
            await first.Http.SubmitAsync(new { action = "a", queue = "other" });
            sent.Add(await first.Http.SubmitAsync(new { action = "a", queue = "live" }));
            return tail.Results.Count > 0;
        }, TestHttp.Patience, "tail is connected");
        var seen = sent.FindIndex(id => tail.Results[0].Contains(id.ToString()));

        first.Kill();
        await Eventually.UntilAsync(
            () => Task.FromResult(tail.Errors.Any(l => l.Contains("trying again"))), TestHttp.Patience, "the loss is said");
        await using var second = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database.ConnectionString, rabbitMq: null,
            port: first.Port);
        for (var i = 0; i < 5; i++)
            sent.Add(await second.Http.SubmitAsync(new { action = "a", queue = "live" }));
        await Eventually.UntilAsync(
            () => Task.FromResult(tail.Results.Any(l => l.Contains(sent[^1].ToString()))),
            TimeSpan.FromSeconds(60), "the last task is seen");

        (await TaskQueueProcess.SignalAsync(tail, Interrupt)).ShouldBe(0, tail.Output);
        tail.Results.Select(l => Guid.Parse(l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[2])).ShouldBe(sent[seen..]);
        tail.Results.ShouldAllBe(l => l.Contains("  submitted  ") && l.Contains("  live"));
    }

    [Fact]
    public async Task Tail_follows_single_tasks()
    {
        var (id, other) = (await Http.SubmitAsync(new { action = "a", queue = _queue }),
            await Http.SubmitAsync(new { action = "a", queue = _queue }));
        using var tail = TaskQueueProcess.StartCommand(["tail", "--json", "--id", id.ToString()],
            CommandRun.Environment(Http.BaseAddress!));
        await Eventually.UntilAsync(async () =>
        {
            foreach (var task in new[] { other, id })
            {
                await Http.PostAsync($"/tasks/{task}/cancel", "");
                await Http.PostAsync($"/tasks/{task}/retry", "");
            }

            return tail.Results.Any(l => l.Contains("cancelled"));
        }, TestHttp.Patience, "tail shows the task");
        (await TaskQueueProcess.SignalAsync(tail, Interrupt)).ShouldBe(0, tail.Output);
        tail.Results.ShouldAllBe(l => JsonSerializer.Deserialize<JsonElement>(l).Text("task_id") == id.ToString()
            && JsonSerializer.Deserialize<JsonElement>(l).Text("queue") == _queue);
        tail.Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task Tail_ends_when_the_server_refuses_it_or_its_output_is_closed()
    {
        await using var server = await TestReceiver.StartAsync();
        server.Answer = async (context, time) =>
        {
            if (time == 1)
            {
                context.Response.StatusCode = 400;
                await context.Response.WriteAsync(
                    """{"title":"Bad Request","detail":"Last-Event-ID is garbage","code":"invalid_request"}""");
                return;
            }

            context.Response.ContentType = "text/event-stream";
            using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
            do
                await context.Response.WriteAsync(Event(1, "submitted"));
            while (await pace.WaitForNextTickAsync(context.RequestAborted));
        };
        (await CommandRun.OfAsync(new Uri(server.Url), ["tail", "--after", "x"])).Refused(1, "garbage");

        var line = $"'{Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet"}' "
            + $"'{Path.Combine(AppContext.BaseDirectory, "taskqueue.dll")}' tail --server {server.Url} | head -n 1";
        using var shell = new Command("sh", ["-c", line]);
        (await shell.WaitAsync(TimeSpan.FromSeconds(30))).ShouldBe(0, shell.Output);
        shell.Results.ShouldHaveSingleItem().ShouldContain("submitted");
        shell.Errors.ShouldBeEmpty();
    }

    private static string Event(int id, string type)
    {
        var data = $$"""{"task_id":"00000000-0000-4000-8000-00000000000{{id}}","queue":"c","tier":1,"attempt":1"""
            + ""","at":"2030-01-01T00:00:00Z","due_at":null,"worker":"w","error":null}""";
        return $"event: {type}\nid: {id}\ndata: {data}\n\n";
    }
}
