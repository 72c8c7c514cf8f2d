using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Queues, and what requests on them leave out, repeat or misspell.</summary>
public sealed class FirstHourQueuesTests(SqliteStack stack) : IClassFixture<SqliteStack>
{
    private readonly string _queue = $"q{Guid.NewGuid():N}"[..12];

    private HttpClient Http => stack.Http;

    [Fact]
    public async Task F01_An_undeclared_queue_whose_tasks_are_cancelled_is_found_by_every_route_that_lists_it()
    {
        var id = await Http.SubmitAsync(new { queue = _queue, action = "a" });
        (await Http.PostAsync($"/tasks/{id}/cancel", "")).Status.ShouldBe(200);

        (await Http.ReadAsync("/queues")).Text.ShouldContain(_queue);
        (await Http.ReadAsync($"/queues/{_queue}")).Json.Whole("version").ShouldBe(0);
        (await CommandRun.OfAsync(Http.BaseAddress!, ["queues"])).Done().Row(_queue)[2].ShouldBe("undeclared");
        (await Http.PostAsync($"/queues/{_queue}/redrive", "")).Json.Whole("restarted").ShouldBe(0);
        (await Http.PostAsync($"/queues/{_queue}/resume", "")).Json.Whole("version").ShouldBe(0);
        (await Http.RemoveAsync($"/queues/{_queue}")).Status.ShouldBe(204);
        Problems.Expect(await Http.ReadAsync($"/queues/{_queue}"), 404, "not_found");
        Problems.Expect(await Http.RemoveAsync($"/queues/{_queue}"), 404, "not_found");
    }

    [Fact]
    public async Task F01_An_undeclared_queue_is_purged_and_stays_undeclared()
    {
        await Http.SubmitAsync(new { queue = _queue, action = "a" });
        (await Http.PostAsync($"/queues/{_queue}/purge", "")).Status.ShouldBe(204);
        Problems.Expect(await Http.ReadAsync($"/queues/{_queue}"), 404, "not_found");
    }

    [Theory]
    [InlineData("queue_name", "queue")]
    [InlineData("deduplication_key", "dedupe_key")]
    [InlineData("max_tries", "max_attempts")]
    [InlineData("retry_policy", "retry")]
    [InlineData("lease", "lease_seconds")]
    [InlineData("startAt", "scheduled_at")]
    [InlineData("execute_at", "scheduled_at")]
    [InlineData("run_after", "scheduled_at")]
    [InlineData("due_at", "scheduled_at")]
    [InlineData("delay_minutes", "scheduled_at")]
    [InlineData("tag", "tags")]
    public async Task F03_What_other_queues_call_an_option_is_refused(string name, string option) =>
        (await Http.PostAsync("/tasks", $$"""{"action":"uppercase","{{name}}":1}""")).Json.Text("error")
            .ShouldBe($"{name} is not a member of a task; did you mean {option}?");

    [Theory]
    [InlineData("callback")]
    [InlineData("expires")]
    [InlineData("timeout")]
    public async Task F03_Words_of_its_own_are_dropped_from_a_body_of_the_original_API(string name)
    {
        (await Http.PostAsync("/tasks", $$"""{"action":"uppercase","data":{},"{{name}}":"x"}""")).Status.ShouldBe(202);
        (await Http.PostAsync("/tasks", $$"""{"action":"a","queue":"{{_queue}}","{{name}}":"x"}""")).Json.Text("error")!
            .ShouldContain("did you mean");
    }

    [Theory]
    [InlineData("/queues/q/tasks?state=failed")]
    [InlineData("/queues/q/tasks?lst=dead")]
    [InlineData("/tasks/01a20000-0000-4000-8000-000000000001?wait_second=30")]
    [InlineData("/quota?tenants=a")]
    [InlineData("/quarantine?kinds=a")]
    [InlineData("/audit?actors=a")]
    [InlineData("/webhooks/secret?owners=a")]
    [InlineData("/events?queues=a")]
    [InlineData("/scaling/q?within=5")]
    public async Task F12_A_misspelled_parameter_of_a_query_is_refused(string path) =>
        Problems.Expect(await Http.ReadAsync(path), 400, "invalid_request").Text("detail")!.ShouldContain("there is no query parameter");

    [Fact]
    public async Task F20_A_long_name_is_cut_in_the_answer()
    {
        var reply = await Http.PostAsync("/workers/claim", $$"""{"queues":["q"],"worker":"w","{{new string('x', 10_000)}}":1}""");
        Problems.Expect(reply, 400, "invalid_request").Text("detail")!.Length.ShouldBeLessThan(500);
    }

    [Theory]
    [InlineData("""{"max_running":1,"max_running":2}""")]
    [InlineData("""{"rate":{"tokens":1,"tokens":2}}""")]
    public async Task F21_A_setting_that_is_given_twice_is_refused(string body) =>
        Problems.Expect(await Http.PutAsync($"/queues/{_queue}", body), 400, "invalid_request").Text("detail")!
            .ShouldContain("given twice");

    [Theory]
    [InlineData("/tasks/bulk", """{"tasks":[{"action":"a"}],"tasks":[{"action":"b"}]}""")]
    [InlineData("/workers/heartbeat", """{"tasks":[],"tasks":[]}""")]
    [InlineData("/workers/claim", """{"queues":["a"],"queues":["b"],"worker":"w"}""")]
    public async Task F21_A_list_that_is_given_twice_is_refused(string path, string body) =>
        Problems.Expect(await Http.PostAsync(path, body), 400, "invalid_request").Text("detail")!.ShouldContain("given twice");

    [Fact]
    public async Task F21_Data_and_results_with_a_name_twice_pass()
    {
        const string twice = """{"a":1,"a":2}""";
        (await Http.PutAsync($"/queues/{_queue}", new { })).Status.ShouldBe(201);
        (await Http.PutAsync($"/queues/{_queue}/schedules/s", $$"""{"cron":"0 0 1 1 *","action":"a","data":{{twice}}}""")).Status
            .ShouldBe(201);
        (await Http.PostAsync($"/queues/{_queue}/schedules/s/run", "")).Status.ShouldBe(202);
        var task = (await Http.ClaimAsync(_queue)).Single();
        task.GetProperty("payload").GetProperty("data").GetRawText().ShouldBe(twice);
        var report = await Http.PostAsync("/workers/report",
            $$"""{"tasks":[{"id":"{{task.Id()}}","attempt":1,"outcome":"completed","result":{{twice}}}]}""");
        report.Json.GetProperty("tasks")[0].Text("code").ShouldBe("ok");
    }

    [Fact]
    public async Task F22_Declaring_a_queue_or_a_schedule_again_does_not_resume_it()
    {
        await using var services = new ServiceCollection().AddTaskQueueClient(o => o.BaseAddress = Http.BaseAddress!)
            .BuildServiceProvider();
        var client = services.GetRequiredService<TaskQueueClient>();
        await client.DeclareQueueAsync(_queue, new QueueDeclaration { MaxRunning = 1 });
        await client.ScheduleAsync(_queue, "s", new NewSchedule("0 8 * * *", "a"));
        await client.PauseAsync(_queue);
        (await Http.PostAsync($"/queues/{_queue}/schedules/s/pause", "")).Status.ShouldBe(200);

        (await client.DeclareQueueAsync(_queue, new QueueDeclaration { MaxRunning = 2 })).Paused.ShouldBeTrue();
        (await client.ScheduleAsync(_queue, "s", new NewSchedule("0 9 * * *", "a"))).Paused.ShouldBeTrue();
        (await client.DeclareQueueAsync(_queue, new QueueDeclaration { Paused = false })).Paused.ShouldBeFalse();
        (await client.ScheduleAsync(_queue, "s", new NewSchedule("0 9 * * *", "a") { Paused = false })).Paused.ShouldBeFalse();
    }

    [Fact]
    public async Task F17_A_tenant_purges_and_redrives_its_own_tasks_of_an_undeclared_queue_without_declaring_it()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: QuotaKeys.Settings(("Default:Queues", "0")));
        using var ann = host.ClientOf("ann");
        using var ben = host.ClientOf("ben");
        using var boss = host.ClientOf("boss");
        var (hers, his) = (await ann.SubmitAsync(new { queue = _queue, action = "a", max_attempts = 1 }),
            await ben.SubmitAsync(new { queue = _queue, action = "a", max_attempts = 1 }));
        foreach (var task in await boss.ClaimAsync(_queue, max: 2))
            await boss.TellAsync("report", new { id = task.Id(), attempt = 1, outcome = "failed", error = "e" });

        (await ann.PostAsync($"/queues/{_queue}/redrive", "")).Json.Whole("restarted").ShouldBe(1);
        (await ann.TaskAsync(hers)).Text("status").ShouldBe("pending");
        (await ben.TaskAsync(his)).Text("status").ShouldBe("failed");
        (await ann.PostAsync($"/queues/{_queue}/purge", "")).Status.ShouldBe(204);
        (await ann.ReadAsync($"/tasks/{hers}")).Status.ShouldBe(404);
        (await ben.TaskAsync(his)).Text("status").ShouldBe("failed");
        (await ben.ReadAsync($"/queues/{_queue}")).Json.Whole("version").ShouldBe(0);
        (await ann.RemoveAsync($"/queues/{_queue}")).Status.ShouldBe(204);
        (await ben.TaskAsync(his)).Text("status").ShouldBe("failed");
    }
}
