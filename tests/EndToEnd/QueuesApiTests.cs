using System.Diagnostics;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Queue rules through the native APIs.</summary>
public abstract partial class QueuesApiTests(Stack stack)
{
    private static readonly string[] Payload = ["payload"];

    private readonly string _queue = $"q{Guid.NewGuid():N}"[..12];

    private HttpClient Http => stack.Http;

    [Fact]
    public async Task Settings_are_read_back_as_they_were_put_and_each_change_counts_a_version()
    {
        const string all =
            """
            {"delivery":"pull","description":"größe","lease_seconds":20,"expire_after_seconds":3600,"max_attempts":5,
             "retry":{"intervals":[1,2.5]},"max_crashes":5,"max_running":7,"rate":{"tokens":3,"interval_seconds":2},"paused":true,
             "dead_letters":{"enabled":true,"max_size":9,"retention_seconds":60},"keep_finished_seconds":120,"events":"terminal",
             "tiers":{"1":{"lease_seconds":5,"priority":"low","max_attempts":2,"retry":{"first":1,"factor":3,"cap":9,"jitter":0.5}}}}
            """;
        var created = await Http.PutAsync($"/queues/{_queue}", all);
        created.Status.ShouldBe(201, created.Text);
        var expected = JsonSerializer.Deserialize<JsonElement>(all);

        var read = (await Http.ReadAsync($"/queues/{_queue}")).Json;
        foreach (var name in expected.Names().Except(["tiers", "retry"]))
            JsonElement.DeepEquals(read.GetProperty(name), expected.GetProperty(name)).ShouldBeTrue(name);
        read.GetProperty("retry").GetProperty("intervals").EnumerateArray().Select(i => i.GetDouble()).ShouldBe([1, 2.5]);
        read.GetProperty("tiers").GetProperty("1").Text("priority").ShouldBe("low");
        read.GetProperty("tiers").GetProperty("1").GetProperty("retry").GetProperty("jitter").GetDouble().ShouldBe(0.5);
        read.Whole("version").ShouldBe(1);
        (await Http.PutAsync($"/queues/{_queue}", read.GetRawText())).Status.ShouldBe(200, "what was read can be put back");

        var replaced = await Http.PutAsync($"/queues/{_queue}", new { expected_version = 2 });
        replaced.Status.ShouldBe(200, replaced.Text);
        (replaced.Json.Whole("version"), replaced.Json.Text("description"), replaced.Json.Whole("max_running")).ShouldBe((3, "", 0));
        Problems.Expect(await Http.PutAsync($"/queues/{_queue}", new { expected_version = 1 }), 409, "version_mismatch");
        Problems.Expect(await Http.PutAsync($"/queues/{_queue}x", new { expected_version = 1 }), 404, "not_found");
    }

    [Fact]
    public async Task Missing_task_settings_come_from_the_tier_and_then_the_queue()
    {
        await PutAsync(new
        {
            lease_seconds = 40, max_attempts = 9, expire_after_seconds = 100,
            tiers = new Dictionary<string, object> { ["1"] = new { lease_seconds = 50, priority = "high" } },
        });
        await SubmitAsync(new { action = "a" });
        await SubmitAsync(new { action = "b", lease_seconds = 60, max_attempts = 2 });
        await Http.SubmitAsync(new { action = "c", queue = $"{_queue}:1", expires_at = TimeProvider.System.GetUtcNow().AddYears(1) });

        var plain = await Http.ClaimAsync(_queue, max: 2, lease_seconds: null);
        var tier = (await Http.ClaimAsync($"{_queue}:1", lease_seconds: null)).Single();

        plain.Select(t => t.Whole("max_attempts")).ShouldBe([9, 2]);
        plain.Select(LeaseSeconds).ShouldBe([40, 60], tolerance: 5);
        LeaseSeconds(tier).ShouldBe(50, 5);
        tier.Text("priority").ShouldBe("high");
        (tier.GetProperty("expires_at").GetDateTimeOffset() - tier.GetProperty("created_at").GetDateTimeOffset())
            .TotalSeconds.ShouldBe(100, 0.01);
    }

    [Fact]
    public async Task A_duplicate_is_skipped_or_changes_the_task_that_waits()
    {
        var first = await Http.PostAsync("/tasks", new { action = "a", data = 1, queue = _queue, dedupe_key = "k" });
        var skipped = await Http.PostAsync("/tasks", new { action = "a", data = 2, queue = _queue, dedupe_key = "k" });
        var updated = await Http.PostAsync("/tasks", new { action = "b", data = 3, queue = _queue, dedupe_key = "k", overwrite = Payload });

        (first.Status, skipped.Status, updated.Status).ShouldBe((202, 202, 202));
        (first.Json.Text("status"), skipped.Json.Text("status"), updated.Json.Text("status")).ShouldBe(("queued", "duplicate", "updated"));
        new[] { skipped, updated }.ShouldAllBe(r => r.Json.Id() == first.Json.Id());
        var task = (await Http.ClaimAsync(_queue, max: 10)).Single();
        task.GetProperty("payload").Whole("data").ShouldBe(3);
        task.GetProperty("payload").Id().ShouldBe(first.Json.Id());
        (task.Text("name"), task.GetProperty("payload").Text("action")).ShouldBe(("b", "b"));
        (await Http.PostAsync("/tasks", new { action = "a", queue = _queue, dedupe_key = "k", overwrite = Payload })).Json.Text("status")
            .ShouldBe("duplicate");
        await Http.TellAsync("report", new { id = task.Id(), attempt = 1, outcome = "completed" });
        (await Http.PostAsync("/tasks", new { action = "a", queue = _queue, dedupe_key = "k" })).Json.Text("status").ShouldBe("queued");
    }

    [Fact]
    public async Task Tasks_with_one_ordering_key_run_one_at_a_time_and_promotion_wakes_a_worker_of_the_tier()
    {
        var ids = await Http.SubmitManyAsync(Enumerable.Range(0, 4)
            .Select(i => new { action = $"a{i}", queue = $"{_queue}:{i}", ordering_key = "t" }));
        var task = (await Http.ClaimAsync($"{_queue}:0", lease_seconds: 60)).Single();
        var took = new List<TimeSpan>();
        for (var i = 1; i < 4; i++)
        {
            // The worker waits: a claim after its own finds nothing either.
            var next = (i % 2 == 0 ? Http : stack.OtherHttp)
                .ClaimAsync($"{_queue}:{i}", max: 10, lease_seconds: 60, wait_seconds: 30);
            (await Http.ClaimAsync($"{_queue}:{i}", wait_seconds: 0.2)).ShouldBeEmpty();
            next.IsCompleted.ShouldBeFalse();

            var start = Stopwatch.GetTimestamp();
            await Http.TellAsync("report", new { id = task.Id(), attempt = 1, outcome = "completed" });

            task = (await next).Single();
            task.Id().ShouldBe(ids[i]);
            took.Add(Stopwatch.GetElapsedTime(start));
        }

        // Two of three: the bound concerns the server, not the other load of this machine.
        took.Order().ElementAt(1).ShouldBeLessThan(TimeSpan.FromSeconds(4), "a waiting claim looks again by itself after five seconds");
    }

    [Fact]
    public async Task A_snoozed_task_runs_again_later_without_counting_an_attempt()
    {
        var id = await SubmitAsync(new { action = "a", max_attempts = 1 });
        (await Http.ClaimAsync(_queue)).Single().Id().ShouldBe(id);
        (await Http.TellAsync("report", new { id, attempt = 1, outcome = "snoozed", delay_seconds = 0.2 })).ShouldBe(["ok"]);

        var again = (await Http.ClaimAsync(_queue, wait_seconds: 20)).Single();

        (again.Id(), again.Whole("attempt")).ShouldBe((id, 2));
        (await Http.TellAsync("report", new { id, attempt = 1, outcome = "completed" })).ShouldBe(["stale_attempt"]);
        (await Http.TellAsync("report", new { id, attempt = 2, outcome = "failed", error = "e" })).ShouldBe(["ok"]);
        (await Http.TaskAsync(id)).GetProperty("timeline").EnumerateArray().Select(e => e.Text("event"))
            .ShouldBe(["submitted", "started", "snoozed", "started", "failed"]);
        Problems.Expect(await Http.PostAsync("/workers/report",
            new { tasks = new[] { new { id, attempt = 2, outcome = "snoozed", delay_seconds = 2_592_001 } } }), 400, "invalid_request");
    }

    [Fact]
    public async Task A_paused_queue_hands_out_nothing_until_it_resumes()
    {
        await PutAsync(new { });
        (await Http.PostAsync($"/queues/{_queue}/pause", "")).Json.GetProperty("paused").GetBoolean().ShouldBeTrue();
        var id = await SubmitAsync(new { action = "a" });
        (await Http.ClaimAsync(_queue)).ShouldBeEmpty();
        var waiting = Http.ClaimAsync(_queue, wait_seconds: 20);
        (await Http.PostAsync($"/queues/{_queue}/resume", "")).Json.GetProperty("paused").GetBoolean().ShouldBeFalse();
        (await waiting).Single().Id().ShouldBe(id);
        Problems.Expect(await Http.PostAsync($"/queues/{_queue}x/pause", ""), 404, "not_found");
    }

    [Fact]
    public async Task A_change_made_by_one_process_soon_applies_in_another()
    {
        await PutAsync(new { });
        await SubmitAsync(new { action = "a" });
        (await stack.OtherHttp.ReadAsync($"/queues/{_queue}")).Status.ShouldBe(200);

        await PutAsync(new { paused = true }, 200);

        await Eventually.UntilAsync(
            async () => (await stack.OtherHttp.ReadAsync($"/queues/{_queue}")).Json.GetProperty("paused").GetBoolean(),
            TimeSpan.FromSeconds(4), "the other process knows");
        (await stack.OtherHttp.ClaimAsync(_queue)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Dead_letters_are_capped_and_retried_on_request()
    {
        await PutAsync(new { dead_letters = new { max_size = 2 }, max_attempts = 1 });
        var ids = await Http.SubmitManyAsync(Enumerable.Range(0, 3).Select(i => new { action = $"a{i}", queue = _queue }));
        foreach (var task in await Http.ClaimAsync(_queue, max: 10))
            await Http.TellAsync("report", new { id = task.Id(), attempt = 1, outcome = "failed", error = "e" });

        (await Http.ReadAsync($"/tasks/{ids[0]}")).Status.ShouldBe(404);
        (await DeadAsync()).ShouldBe([ids[1], ids[2]]);
        (await Http.TaskAsync(ids[1])).GetProperty("dead_letter").GetBoolean().ShouldBeTrue();
        (await Http.ReadAsync($"/queues/{_queue}")).Json.GetProperty("counts").Whole("dead_letters").ShouldBe(2);
        (await Http.PostAsync($"/queues/{_queue}/redrive", "")).Json.Whole("restarted").ShouldBe(2);
        (await DeadAsync()).ShouldBeEmpty();
        (await Http.ClaimAsync(_queue, max: 10)).Select(t => (t.Id(), t.Whole("attempt")))
            .ShouldBe([(ids[1], 2), (ids[2], 2)], ignoreOrder: true);
    }

    [Fact]
    public async Task A_retry_is_refused_while_another_task_holds_the_dedupe_key()
    {
        await PutAsync(new { max_attempts = 1 });
        var id = await SubmitAsync(new { action = "a", dedupe_key = "k" });
        await Http.ClaimAsync(_queue);
        await Http.TellAsync("report", new { id, attempt = 1, outcome = "failed", error = "e" });
        await SubmitAsync(new { action = "a", dedupe_key = "k" });

        Problems.Expect(await Http.PostAsync($"/tasks/{id}/retry", ""), 409, "dedupe_key_taken");
        (await Http.TaskAsync(id)).Text("status").ShouldBe("failed");
        (await Http.PostAsync($"/queues/{_queue}/redrive", "")).Json.Whole("skipped").ShouldBe(1);
    }

    [Fact]
    public async Task A_purge_removes_waiting_running_and_dead_tasks_but_no_later_ones()
    {
        await PutAsync(new { max_attempts = 1 });
        var ids = await Http.SubmitManyAsync(Enumerable.Range(0, 3)
            .Select(i => new { action = $"a{i}", queue = _queue, ordering_key = i == 2 ? "t" : null }));
        var claimed = await Http.ClaimAsync(_queue, max: 2);
        await Http.TellAsync("report", new { id = claimed[0].Id(), attempt = 1, outcome = "failed", error = "e" });

        (await Http.PostAsync($"/queues/{_queue}/purge", "")).Status.ShouldBe(204);

        var later = await SubmitAsync(new { action = "later" });
        foreach (var id in ids)
            (await Http.ReadAsync($"/tasks/{id}")).Status.ShouldBe(404);
        (await Http.TellAsync("report", new { id = claimed[1].Id(), attempt = 1, outcome = "completed" })).ShouldBe(["not_found"]);
        var counts = (await Http.ReadAsync($"/queues/{_queue}")).Json.GetProperty("counts");
        (counts.Whole("waiting"), counts.Whole("running"), counts.Whole("dead_letters")).ShouldBe((1, 0, 0));
        (await Http.ClaimAsync(_queue, max: 10)).Single().Id().ShouldBe(later);
    }

    [Fact]
    public async Task A_deleted_queue_leaves_no_tasks_behind_and_its_name_is_free()
    {
        await PutAsync(new { });
        await SubmitAsync(new { action = "a" });
        (await Http.RemoveAsync($"/queues/{_queue}")).Status.ShouldBe(204);
        Problems.Expect(await Http.RemoveAsync($"/queues/{_queue}"), 404, "not_found");
        Problems.Expect(await Http.RemoveAsync("/queues/tasks"), 409, "built_in");
        await PutAsync(new { });
        (await Http.ClaimAsync(_queue)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_deleted_task_is_gone_at_once_and_its_row_soon()
    {
        var id = await SubmitAsync(new { action = "a" });
        await Http.ClaimAsync(_queue);
        (await Http.TellAsync("report", new { id, attempt = 1, outcome = "failed", error = "e" })).ShouldBe(["ok"]);
        (await AttemptsAsync()).ShouldBe(1);
        (await Http.RemoveAsync($"/tasks/{id}")).Status.ShouldBe(204);
        (await Http.ReadAsync($"/tasks/{id}")).Status.ShouldBe(404);
        Problems.Expect(await Http.RemoveAsync($"/tasks/{id}"), 404, "not_found");
        await Eventually.UntilAsync(async () => await stack.Database.FindAsync(id) is null, TestHttp.Patience, "the row is removed");
        (await AttemptsAsync()).ShouldBe(0);

        async Task<int> AttemptsAsync()
        {
            await using var db = stack.Database.CreateContext();
            return await db.Attempts.CountAsync(a => a.TaskId == id);
        }
    }

    [Fact]
    public async Task Finished_tasks_are_removed_after_their_queues_retention()
    {
        await PutAsync(new { keep_finished_seconds = 1 });
        var id = await SubmitAsync(new { action = "a" });
        await Http.ClaimAsync(_queue);
        await Http.TellAsync("report", new { id, attempt = 1, outcome = "completed" });
        await Eventually.UntilAsync(
            async () => (await Http.ReadAsync($"/tasks/{id}")).Status == 404, TestHttp.Patience, "the task is gone");
        await Eventually.UntilAsync(async () => await stack.Database.FindAsync(id) is null, TestHttp.Patience, "its row is removed");
        (await Http.ReadAsync($"/queues/{_queue}")).Json.GetProperty("counts").Whole("completed").ShouldBe(1);
    }

    [Theory]
    [InlineData("all", "Submitted Started Completed")]
    [InlineData("terminal", "Completed")]
    [InlineData("none", "")]
    public async Task The_event_policy_decides_what_is_published_and_the_timeline_is_complete(string policy, string events)
    {
        await PutAsync(new { events = policy });
        var id = await SubmitAsync(new { action = "a" });
        var keyed = await SubmitAsync(new { action = "a", dedupe_key = "k" });
        foreach (var task in await Http.ClaimAsync(_queue, max: 2))
            await Http.TellAsync("report", new { id = task.Id(), attempt = 1, outcome = "completed" });
        foreach (var done in new[] { id, keyed })
        {
            string.Join(' ', (await stack.Database.EventsOfAsync(done)).Select(e => e.Type)).ShouldBe(events);
            (await Http.TaskAsync(done)).GetProperty("timeline").EnumerateArray().Select(e => e.Text("event"))
                .ShouldBe(["submitted", "started", "completed"]);
        }
    }

    private async Task PutAsync(object settings, int status = 201)
    {
        var reply = await Http.PutAsync($"/queues/{_queue}", settings);
        reply.Status.ShouldBe(status, reply.Text);
    }

    /// <summary>Submits a task to the queue of the test.</summary>
    private async Task<Guid> SubmitAsync(object task)
    {
        var body = JsonSerializer.SerializeToNode(task)!;
        body["queue"] = _queue;
        return await Http.SubmitAsync(body.ToJsonString());
    }

    private async Task<List<Guid>> DeadAsync() =>
        [.. (await Http.ReadAsync($"/queues/{_queue}/tasks?list=dead")).Json.GetProperty("tasks").EnumerateArray().Select(t => t.Id())];

    private static double LeaseSeconds(JsonElement task) =>
        (task.GetProperty("lease_until").GetDateTimeOffset() - TimeProvider.System.GetUtcNow()).TotalSeconds;
}

public sealed class QueuesApiOnSqlite(SqliteStack stack) : QueuesApiTests(stack), IClassFixture<SqliteStack>;

public sealed class QueuesApiOnServers(ServersStack stack) : QueuesApiTests(stack), IClassFixture<ServersStack>;

public sealed class QueuesApiOnSplitRoles(SplitStack stack) : QueuesApiTests(stack), IClassFixture<SplitStack>;
