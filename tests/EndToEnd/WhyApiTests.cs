using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>GET /tasks/{id}/why, <c>taskqueue why</c> and the client's method.</summary>
public abstract class WhyApiTests(Stack stack)
{
    private readonly string _queue = $"q{Guid.NewGuid():N}";

    private HttpClient Http => stack.Http;

    public sealed class OnSqlite(SqliteStack stack) : WhyApiTests(stack), IClassFixture<SqliteStack>;

    public sealed class OnServers(ServersStack stack) : WhyApiTests(stack), IClassFixture<ServersStack>
    {
        [Fact]
        public async Task A_push_queue_without_consumers_at_the_broker_has_no_worker()
        {
            (await Http.PutAsync($"/queues/{_queue}", new { delivery = "push" })).Status.ShouldBe(201);
            var id = await Http.SubmitAsync(new { action = "a", queue = _queue });

            await Eventually.UntilAsync(
                async () => await GatesAsync(id) is [{ Gate: "no_worker", Message: var message }]
                    && message == $"No worker consumes queue {_queue} at the broker.",
                TestHttp.Patience, "the broker has the task");
        }
    }

    [Fact]
    public async Task A_full_queue_is_told_over_HTTP_by_the_command_line_and_to_programs()
    {
        (await Http.PutAsync($"/queues/{_queue}", new { max_running = 1 })).Status.ShouldBe(201);
        var (first, second) = (await Http.SubmitAsync(new { action = "a", queue = _queue, data = "secret" }),
            await Http.SubmitAsync(new { action = "a", queue = _queue, data = "secret" }));
        (await Http.ClaimAsync(_queue, lease_seconds: 600)).Single().Id().ShouldBe(first);

        var why = (await Http.ReadAsync($"/tasks/{second}/why")).Json;

        why.Names().ShouldBe(["id", "state", "runs", "message", "gates"]);
        (why.Id(), why.Text("state"), why.GetProperty("runs").GetBoolean()).ShouldBe((second, "pending", false));
        why.GetRawText().ShouldNotContain("secret");
        var gate = why.GetProperty("gates").EnumerateArray().Single();
        gate.Names().ShouldBe(["gate", "message", "opens_at", "holder", "position", "holders"]);
        (gate.Text("gate"), gate.Text("message")).ShouldBe(("concurrency_limit", why.Text("message")));
        gate.GetProperty("holder").Names().ShouldBe(["task_id", "state", "due_at", "lease_until"]);
        (gate.GetProperty("holder").GetProperty("task_id").GetGuid(), gate.GetProperty("holders").GetArrayLength()).ShouldBe((first, 1));

        var run = await CommandRun.OfAsync(Http.BaseAddress!, ["why", $"{second}"]);
        run.Done().Lines[0].ShouldBe($"pending: {why.Text("message")}");
        run.Row("concurrency_limit")[1].ShouldBe($"{first}");
        (await CommandRun.OfAsync(Http.BaseAddress!, ["why", $"{second}", "--json"])).Done().Json.Text("message")
            .ShouldBe(why.Text("message"));
        (await CommandRun.OfAsync(Http.BaseAddress!, ["why", "none"])).Refused(1, "there is no task none");

        await using var services = Client();
        var client = services.GetRequiredService<TaskQueueClient>();
        var told = await client.WhyAsync(second);
        (told.Id, told.Status, told.Runs, told.Message).ShouldBe((second, QueuedTaskStatus.Pending, false, why.Text("message")!));
        var holder = told.Gates.ShouldHaveSingleItem().Holders.ShouldHaveSingleItem();
        (holder.TaskId, holder.Status, holder.LeaseUntil > holder.DueAt).ShouldBe((first, QueuedTaskStatus.Running, true));
        (told.Gates[0].Gate, told.Gates[0].OpensAt, told.Gates[0].Position).ShouldBe(("concurrency_limit", null, null));
        var running = await client.WhyAsync(first);
        (running.Runs, running.Gates.Count).ShouldBe((true, 0));
        running.Message.ShouldStartWith("Worker w has run attempt 1 since ");
        (await Should.ThrowAsync<TaskQueueException>(() => client.WhyAsync(Guid.NewGuid()))).Status.ShouldBe(404);
    }

    [Fact]
    public async Task A_task_goes_from_gate_to_gate_until_it_ends()
    {
        (await Http.PutAsync($"/queues/{_queue}", new { paused = true })).Status.ShouldBe(201);
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue });
        (await GatesAsync(id)).Select(g => g.Gate).ShouldBe(["paused", "no_worker"]);
        (await Http.PostAsync($"/queues/{_queue}/resume", "")).Status.ShouldBeLessThan(300);
        (await GatesAsync(id)).Select(g => g.Gate).ShouldBe(["no_worker"]);
        await Http.ClaimAsync(_queue, max: 1);
        await Http.TellAsync("report", new { id, attempt = 1, outcome = "snoozed", delay_seconds = 600 });

        (await GatesAsync(id)).Select(g => g.Gate).ShouldBe(["due_time"]);
        var next = await Http.SubmitAsync(new { action = "a", queue = _queue });
        (await GatesAsync(next)).Select(g => (g.Gate, g.Position)).ShouldBe([("waiting_turn", 1)]);
        (await Http.PostAsync($"/tasks/{id}/cancel", "")).Status.ShouldBe(200);
        var why = (await Http.ReadAsync($"/tasks/{id}/why")).Json;
        (why.Text("state"), why.GetProperty("gates").GetArrayLength()).ShouldBe(("cancelled", 0));
        why.Text("message")!.ShouldStartWith("It was cancelled at ");
    }

    [Fact]
    public async Task What_is_no_task_is_not_found_and_there_are_no_parameters()
    {
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue });
        foreach (var none in new[] { "nothing", $"{Guid.NewGuid()}", "1" })
            Problems.Expect(await Http.ReadAsync($"/tasks/{none}/why"), 404, "not_found");
        Problems.Expect(await Http.ReadAsync($"/tasks/{id}/why?verbose=1"), 400, "invalid_request");
        (await Http.DeleteAsync(new Uri($"/tasks/{id}", UriKind.Relative))).EnsureSuccessStatusCode();
        Problems.Expect(await Http.ReadAsync($"/tasks/{id}/why"), 404, "not_found");
    }

    private ServiceProvider Client() =>
        new ServiceCollection().AddTaskQueueClient(o => o.BaseAddress = Http.BaseAddress!).BuildServiceProvider();

    private async Task<List<(string Gate, string Message, int? Position)>> GatesAsync(Guid id)
    {
        var reply = await Http.ReadAsync($"/tasks/{id}/why");
        reply.Status.ShouldBe(200, reply.Text);
        return [.. reply.Json.GetProperty("gates").EnumerateArray().Select(g => (g.Text("gate")!, g.Text("message")!,
            g.GetProperty("position").ValueKind == System.Text.Json.JsonValueKind.Null ? null : (int?)g.Whole("position")))];
    }
}
