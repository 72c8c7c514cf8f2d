using System.Net;
using System.Net.Http.Json;
using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>SIGTERM: a process announces its stop, answers waiting callers, and releases what it cannot finish.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class DrainTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task A_stopping_process_first_becomes_unready_still_serves_and_answers_waiting_callers()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var server = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database.ConnectionString, null,
            Settings("60", "60"));
        var http = server.Http;
        var id = await http.SubmitAsync(new { action = "a", queue = "q", scheduled_at = TimeProvider.System.GetUtcNow().AddHours(1) });
        await using var events = await EventClient.ListenAsync(http);
        var claim = http.ClaimAsync("q", wait_seconds: 30);
        var wait = http.ReadAsync($"/tasks/{id}?wait_seconds=30");
        (await http.PostAsync("/v1/queue/register", """{"queue":"b","endpoint":"/x"}""")).Status.ShouldBe(200);
        var put = http.PostAsync("/v1/queue/put", """{"queue":"b","endpoint":"/x","level":0,"data":{},"response_mode":"blocking"}""");

        var exit = server.TerminateAsync(Patience);

        Reply? ready = null;
        await Eventually.UntilAsync(
            async () => (ready = await http.ReadAsync("/health/ready")).Status != 200, Patience, "the process is not ready");
        ready!.Status.ShouldBe(503);
        ready.Json.GetProperty("checks").GetProperty("draining").Text("description").ShouldBe("draining");
        (await http.ReadAsync("/health/live")).Status.ShouldBe(200);
        await events.Ended.WaitAsync(Patience); // cleanly: anything else is an exception
        (await claim.WaitAsync(Patience)).ShouldBeEmpty();
        (await wait.WaitAsync(Patience)).Json.Text("status").ShouldBe("pending");
        await CompleteAsync(http);
        (await put.WaitAsync(Patience)).Text.ShouldBe("""{"n":1}""");
        await ExpectServiceAsync(http, id);
        exit.IsCompleted.ShouldBeFalse();

        (await server.TerminateAsync(Patience)).ShouldBe(0, server.Output); // a second signal: at once
        (await exit).ShouldBe(0);
    }

    [Fact]
    public async Task Waiting_tasks_move_to_another_process_at_once_and_running_ones_after_the_grace_period()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        var rabbitMq = await TestServers.CreateVirtualHostAsync();
        await using (var api = await TestHost.StartAsync(database.ConnectionString, rabbitMq, "api,scheduler",
            new Dictionary<string, string?> { ["Logging:LogLevel:Default"] = "Error" }))
        {
            await using var first = await TaskQueueProcess.StartAsync("consumers", database.ConnectionString, rabbitMq,
                new Dictionary<string, string>(Settings("0", "10"))
            {
                ["TaskQueue:Actions:Concurrency"] = "1",
                ["TaskQueue:Actions:SimulatedWorkMs"] = "60000",
            });
            var ids = await api.Http.SubmitManyAsync(
                Enumerable.Repeat(new { action = "uppercase", data = new { text = "x" }, max_attempts = 1 }, 5));
            Guid? running = null;
            await Eventually.UntilAsync(
                async () => (running = await RunningAsync(database, ids)) is not null, Patience, "the first process runs one of them");
            await using var second = await TaskQueueProcess.StartAsync("consumers", database.ConnectionString, rabbitMq,
                Settings("0", "4"));

            var exit = first.TerminateAsync(TimeSpan.FromSeconds(60));
            foreach (var id in ids.Where(id => id != running))
                (await api.Http.TaskAsync(id, "completed")).Whole("attempt").ShouldBe(1);
            exit.IsCompleted.ShouldBeFalse();
            (await RunningAsync(database, ids)).ShouldBe(running);

            (await exit).ShouldBe(0, first.Output);
            var last = await api.Http.TaskAsync(running!.Value, "completed"); // although it may have only one attempt
            last.GetProperty("timeline").EnumerateArray().Select(e => e.Text("event"))
                .ShouldBe(["submitted", "started", "snoozed", "dispatched", "started", "completed"]);
            (await database.GetAsync(running.Value)).AttemptsLeft.ShouldBe(0);
            (await second.TerminateAsync(Patience)).ShouldBe(0, second.Output);
        }

        await TestServers.DeleteVirtualHostAsync(rabbitMq);
    }

    private static Dictionary<string, string> Settings(string announce, string grace) =>
        new() { ["TaskQueue:Drain:AnnounceSeconds"] = announce, ["TaskQueue:Drain:GraceSeconds"] = grace };

    /// <summary>Requests are served as usual, except that they do not wait, and none keeps its connection.</summary>
    private static async Task ExpectServiceAsync(HttpClient http, Guid id)
    {
        using var posted = await http.PostAsJsonAsync("/tasks", new { action = "a", queue = "late" });
        posted.StatusCode.ShouldBe(HttpStatusCode.Accepted);
        posted.Headers.ConnectionClose.ShouldBe(true);
        (await http.ClaimAsync("late", wait_seconds: 30)).Count.ShouldBe(1);
        (await http.ClaimAsync("late", wait_seconds: 30).WaitAsync(Patience)).ShouldBeEmpty();
        (await http.ReadAsync($"/tasks/{id}?wait_seconds=30").WaitAsync(Patience)).Json.Text("status").ShouldBe("pending");
        var stream = await http.ReadAsync("/events").WaitAsync(Patience);
        (stream.Status, stream.ContentType).ShouldBe((200, "text/event-stream"));
        stream.Text.ShouldStartWith(":\nid: "); // the cursor to resume from
    }

    /// <summary>Completes the task of the waiting caller.</summary>
    private static async Task CompleteAsync(HttpClient http)
    {
        Reply? taken = null;
        await Eventually.UntilAsync(
            async () => (taken = await http.PostAsync("/v1/queue/take", """{"queues":["b:0"],"size":1}"""))
                .Text.Contains("TASK-", StringComparison.Ordinal),
            Patience, "the task is taken");
        var id = taken!.Json.GetProperty("b:0")[0].Text("task_id");
        (await http.PostAsync($"/v1/queue/{id}/complete", """{"status_code":200,"body":{"n":1}}""")).Status.ShouldBe(200);
    }

    private static async Task<Guid?> RunningAsync(TestDatabase database, IEnumerable<Guid> ids)
    {
        foreach (var id in ids)
        {
            if ((await database.GetAsync(id)).State == TaskStates.Running)
                return id;
        }

        return null;
    }
}
