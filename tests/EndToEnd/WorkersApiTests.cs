using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Pull workers: claim, heartbeat, report.</summary>
public abstract class WorkersApiTests(Stack stack)
{
    /// <summary>Shorter than the five seconds after which a waiting claim polls by itself: a notification woke it.</summary>
    private static readonly TimeSpan BeforeItLooksAgain = TimeSpan.FromSeconds(4.5);

    private readonly string _queue = $"q{Guid.NewGuid():N}";

    private HttpClient Http => stack.Http;

    [Fact]
    public async Task A_claim_hands_out_a_task_with_its_lease()
    {
        var expires = TimeProvider.System.GetUtcNow().AddHours(1);
        var id = await SubmitAsync(new { action = "resize", data = new { width = 10 }, queue = $"{_queue}:3", priority = "critical",
            expires_at = expires, max_attempts = 2 });
        var reply = await Http.PostAsync("/workers/claim", new { queues = new[] { $"{_queue}:3" }, worker = "w", lease_seconds = 60 });

        reply.ContentType.ShouldBe("application/json");
        reply.Json.Names().ShouldBe(["tasks"]);
        var task = reply.Json.GetProperty("tasks").EnumerateArray().Single();
        task.Names().ShouldBe(
            ["id", "attempt", "queue", "tier", "name", "priority", "payload", "max_attempts", "lease_until", "lease_seconds", "created_at",
                "expires_at", "ordering_key", "traceparent", "tracestate", "tags"], ignoreOrder: true);
        task.Id().ShouldBe(id);
        task.Whole("attempt").ShouldBe(1);
        task.Text("queue").ShouldBe(_queue);
        task.Whole("tier").ShouldBe(3);
        task.Text("name").ShouldBe("resize");
        task.Text("priority").ShouldBe("critical");
        task.GetProperty("payload").GetProperty("data").Whole("width").ShouldBe(10);
        task.Whole("max_attempts").ShouldBe(2);
        task.GetProperty("expires_at").GetDateTimeOffset().ShouldBe(expires, TimeSpan.FromMilliseconds(1));
        task.GetProperty("lease_until").GetDateTimeOffset()
            .ShouldBe(TimeProvider.System.GetUtcNow().AddSeconds(60), TimeSpan.FromSeconds(5));
        task.Whole("lease_seconds").ShouldBe(60);

        var running = await Http.TaskAsync(id);
        running.Text("status").ShouldBe("running");
        running.Text("worker").ShouldBe("w");
        (await Http.PostAsync("/workers/claim", new { queues = new[] { _queue }, worker = "w" })).Text.ShouldBe("""{"tasks":[]}""");
    }

    [Fact]
    public async Task Claims_go_by_queue_then_priority_then_age()
    {
        var other = _queue + "-b";
        var order = new[]
        {
            await SubmitAsync(new { action = "a", queue = _queue, priority = "low" }),
            await SubmitAsync(new { action = "a", queue = _queue }),
            await SubmitAsync(new { action = "a", queue = other, priority = "critical" }),
            await SubmitAsync(new { action = "a", queue = _queue, priority = "high" }),
            await SubmitAsync(new { action = "a", queue = _queue, priority = "critical" }),
            await SubmitAsync(new { action = "a", queue = _queue }),
            await SubmitAsync(new { action = "a", queue = $"{other}:1", priority = "critical" }),
        };
        var reply = await Http.PostAsync("/workers/claim",
            new { queues = new[] { _queue, other, $"{other}:1", _queue }, worker = "w", max = 6 });
        int[] expected = [4, 3, 1, 5, 0, 2];
        reply.Json.GetProperty("tasks").EnumerateArray().Select(t => t.Id()).ShouldBe(expected.Select(i => order[i]));
        (await Http.ClaimAsync($"{other}:1", max: 1000)).Single().Id().ShouldBe(order[6]);
    }

    [Fact]
    public async Task A_waiting_claim_returns_as_soon_as_there_is_work()
    {
        foreach (var submitter in new[] { stack.Http, stack.OtherHttp })
        {
            await BestOfThreeAsync(BeforeItLooksAgain, async () =>
            {
                // An empty claim shows that the queue is empty; the next waits until the submission wakes it.
                (await Http.ClaimAsync(_queue)).ShouldBeEmpty();
                var start = Stopwatch.GetTimestamp();
                var claim = Http.ClaimAsync(_queue, lease_seconds: 60, wait_seconds: 30);
                var id = await SubmitAsync(new { action = "a", queue = _queue }, submitter);
                (await claim).Single().Id().ShouldBe(id);
                return Stopwatch.GetElapsedTime(start);
            });
        }
    }

    [Fact]
    public async Task Every_waiting_claim_gets_one_of_the_tasks_that_come()
    {
        await BestOfThreeAsync(BeforeItLooksAgain, async () =>
        {
            var claims = Enumerable.Range(0, 8).Select(i => (i % 2 == 0 ? stack.Http : stack.OtherHttp)
                .ClaimAsync(_queue, lease_seconds: 60, wait_seconds: 30, worker: $"w{i}")).ToList();
            var start = Stopwatch.GetTimestamp();
            var ids = await Http.SubmitManyAsync(Enumerable.Range(0, 8).Select(_ => new { action = "a", queue = _queue }));
            var claimed = await Task.WhenAll(claims);
            claimed.Select(c => c.Single().Id()).ShouldBe(ids, ignoreOrder: true);
            return Stopwatch.GetElapsedTime(start);
        });
    }

    [Fact]
    public async Task A_waiting_claim_gets_a_scheduled_task_at_its_time()
    {
        await BestOfThreeAsync(BeforeItLooksAgain, async () =>
        {
            var claim = Http.ClaimAsync(_queue, lease_seconds: 60, wait_seconds: 30);
            var due = TimeProvider.System.GetUtcNow().AddMilliseconds(300);
            var id = await SubmitAsync(new { action = "a", queue = _queue, scheduled_at = due });
            (await claim).Single().Id().ShouldBe(id);
            var late = TimeProvider.System.GetUtcNow() - due;
            late.ShouldBeGreaterThanOrEqualTo(TimeSpan.Zero);
            return late;
        });
    }

    [Fact]
    public async Task A_claim_without_tasks_waits_as_requested_and_returns_nothing()
    {
        await BestOfThreeAsync(TimeSpan.FromSeconds(3), async () =>
        {
            var start = Stopwatch.GetTimestamp();
            var reply = await Http.PostAsync("/workers/claim", new { queues = new[] { _queue }, worker = "w", wait_seconds = 0.3 });
            var took = Stopwatch.GetElapsedTime(start);
            reply.Text.ShouldBe("""{"tasks":[]}""");
            took.ShouldBeGreaterThanOrEqualTo(TimeSpan.FromMilliseconds(290));
            return took;
        });
    }

    [Fact]
    public async Task After_its_lease_expires_a_task_goes_to_another_worker_and_the_first_is_refused()
    {
        var id = await SubmitAsync(new { action = "a", queue = _queue });
        var start = TimeProvider.System.GetUtcNow();
        await Http.ClaimAsync(_queue, lease_seconds: 1, worker: "slow");
        var again = (await Http.ClaimAsync(_queue, wait_seconds: 20, worker: "quick")).Single();
        (TimeProvider.System.GetUtcNow() - start).ShouldBeInRange(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(20));
        again.Id().ShouldBe(id);
        again.Whole("attempt").ShouldBe(2);

        (await Http.TellAsync("heartbeat", new { id, attempt = 1 })).ShouldBe(["stale_attempt"]);
        (await Http.TellAsync("report", new { id, attempt = 1, outcome = "completed", result = "slow" })).ShouldBe(["stale_attempt"]);
        (await Http.TellAsync("report", new { id, attempt = 2, outcome = "completed", result = "quick" })).ShouldBe(["ok"]);
        var task = await Http.TaskAsync(id);
        task.Text("result").ShouldBe("quick");
        var lapse = task.GetProperty("timeline").EnumerateArray().Single(s => s.Text("event") == "retrying");
        lapse.Text("error")!.ShouldContain("expired");
    }

    [Fact]
    public async Task Heartbeats_keep_the_lease()
    {
        var id = await SubmitAsync(new { action = "a", queue = _queue });
        await Http.ClaimAsync(_queue, lease_seconds: 6);
        var start = Stopwatch.GetTimestamp();
        await Eventually.UntilAsync(
            async () =>
            {
                (await Http.TellAsync("heartbeat", new { id, attempt = 1 })).ShouldBe(["ok"]);
                return Stopwatch.GetElapsedTime(start) > TimeSpan.FromSeconds(8);
            },
            TestHttp.Patience, "8 s have passed");
        (await Http.ClaimAsync(_queue)).ShouldBeEmpty();

        (await Http.TellAsync("heartbeat", new { id, attempt = 1, lease_seconds = 100 })).ShouldBe(["ok"]);
        (await Http.TaskAsync(id)).GetProperty("lease_until").GetDateTimeOffset()
            .ShouldBe(TimeProvider.System.GetUtcNow().AddSeconds(100), TimeSpan.FromSeconds(5));
        (await Http.TellAsync("report", new { id, attempt = 1, outcome = "completed" })).ShouldBe(["ok"]);
    }

    [Fact]
    public async Task Every_entry_of_a_report_has_its_own_code()
    {
        var ids = await Http.SubmitManyAsync(Enumerable.Range(0, 5).Select(_ => new { action = "a", queue = _queue }));
        await Http.ClaimAsync(_queue, max: 5);
        await Http.TellAsync("report", new { id = ids[1], attempt = 1, outcome = "completed", result = 1 });
        await Http.PostAsync($"/tasks/{ids[2]}/cancel", "");

        var codes = await Http.TellAsync("report",
            new { id = ids[0], attempt = 1, outcome = "completed", result = new { size = 1 } },
            new { id = ids[1], attempt = 1, outcome = "completed", result = 2 },
            new { id = ids[2], attempt = 1, outcome = "completed" },
            new { id = ids[3], attempt = 2, outcome = "completed" },
            new { id = Guid.NewGuid(), attempt = 1, outcome = "completed" },
            new { id = ids[4], attempt = 1, outcome = "failed", error = "broken", retryable = false },
            new { id = ids[4], attempt = 1, outcome = "failed", error = "again", retryable = false },
            new { id = ids[4], attempt = 1, outcome = "completed" });
        codes.ShouldBe(["ok", "duplicate", "finished", "stale_attempt", "not_found", "ok", "duplicate", "finished"]);

        (await Http.TaskAsync(ids[0])).GetProperty("result").Whole("size").ShouldBe(1);
        (await Http.TaskAsync(ids[1])).Whole("result").ShouldBe(1);
        (await Http.TaskAsync(ids[2])).Text("status").ShouldBe("cancelled");
        (await Http.TaskAsync(ids[3])).Text("status").ShouldBe("running");
        (await Http.TaskAsync(ids[4])).Text("error").ShouldBe("broken");
        (await Http.TellAsync("heartbeat", new { id = ids[3], attempt = 1 }, new { id = ids[0], attempt = 1 },
            new { id = ids[2], attempt = 1 }))
            .ShouldBe(["ok", "finished", "finished"]);
    }

    [Fact]
    public async Task A_failed_attempt_is_retried_after_its_backoff_while_attempts_are_left()
    {
        var id = await SubmitAsync(new { action = "a", queue = _queue, max_attempts = 2 });
        await Http.ClaimAsync(_queue);
        var start = Stopwatch.GetTimestamp();
        (await Http.TellAsync("report", new { id, attempt = 1, outcome = "failed", error = "first" })).ShouldBe(["ok"]);
        var task = await Http.TaskAsync(id);
        task.Text("status").ShouldBe("retrying");
        task.Text("error").ShouldBe("first");

        var again = (await Http.ClaimAsync(_queue, wait_seconds: 20)).Single();
        Stopwatch.GetElapsedTime(start).ShouldBeInRange(TimeSpan.FromMilliseconds(1990), TimeSpan.FromSeconds(20));
        again.Whole("attempt").ShouldBe(2);
        (await Http.TellAsync("report", new { id, attempt = 2, outcome = "failed", error = "second" })).ShouldBe(["ok"]);
        task = await Http.TaskAsync(id);
        task.Text("status").ShouldBe("failed");
        task.Text("error").ShouldBe("second");
    }

    [Fact]
    public async Task An_invalid_entry_of_a_report_costs_the_others_nothing()
    {
        var ids = await Http.SubmitManyAsync([new { action = "a", queue = _queue }, new { action = "a", queue = _queue }]);
        await Http.ClaimAsync(_queue, max: 2);
        var reply = await Http.PostAsync("/workers/report", $$"""
            {"tasks":[{"id":"{{ids[0]}}","attempt":1,"outcome":"done"},{"id":"{{ids[1]}}","attempt":1,"outcome":"completed"},
            {"id":"x","attempt":"1"},{"id":"{{ids[0]}}","attempt":1,"outcome":"failed","error":"\udc00"},null,7]}
            """);

        reply.Status.ShouldBe(200, reply.Text);
        var answers = reply.Json.GetProperty("tasks").EnumerateArray().ToList();
        answers.Select(a => a.Text("code")).ShouldBe(["invalid", "ok", "invalid", "invalid", "invalid", "invalid"]);
        (answers[0].Id(), answers[0].Whole("attempt")).ShouldBe((ids[0], 1));
        answers[0].Text("error")!.ShouldContain("outcome");
        answers[1].TryGetProperty("error", out _).ShouldBeFalse();
        answers[2].GetProperty("id").ValueKind.ShouldBe(JsonValueKind.Null);
        (await Http.TaskAsync(ids[0])).Text("status").ShouldBe("running");
        (await Http.TaskAsync(ids[1])).Text("status").ShouldBe("completed");
    }

    [Theory]
    [InlineData(100, 200)]
    [InlineData(101, 400)]
    public async Task A_report_may_have_a_hundred_invalid_entries(int invalid, int status)
    {
        var id = (await Http.SubmitManyAsync([new { action = "a", queue = _queue }])).Single();
        await Http.ClaimAsync(_queue);
        var valid = $$"""{"id":"{{id}}","attempt":1,"outcome":"completed"}""";
        var entries = string.Join(',', Enumerable.Repeat("7", invalid).Prepend(valid));
        var reply = await Http.PostAsync("/workers/report", $$"""{"tasks":[{{entries}}]}""");

        reply.Status.ShouldBe(status, reply.Text);
        (await Http.TaskAsync(id)).Text("status").ShouldBe(status == 200 ? "completed" : "running");
        if (status == 400)
            reply.Json.Text("detail")!.ShouldContain("more than 100 entries are invalid");
    }

    [Fact]
    public async Task An_invalid_heartbeat_costs_the_others_nothing()
    {
        var ids = await Http.SubmitManyAsync([new { action = "a", queue = _queue }, new { action = "a", queue = _queue }]);
        var before = await Http.ClaimAsync(_queue, max: 2, lease_seconds: 30);
        var reply = await Http.PostAsync("/workers/heartbeat", new
        {
            tasks = new object[]
            {
                new { id = ids[0], attempt = 1, progress = new string('x', 5000), lease_seconds = 3000 },
                new { id = ids[1], attempt = 1, progress = "half", lease_seconds = 3000 },
                new { id = ids[0], attempt = 1, logs = new[] { new { message = "m", at = "2026-01-02T03:04:05" } } },
            },
        });

        reply.Status.ShouldBe(200, reply.Text);
        var answers = reply.Json.GetProperty("tasks").EnumerateArray().ToList();
        answers.Select(a => (a.Id(), a.Text("code"))).ShouldBe([(ids[0], "invalid"), (ids[1], "ok"), (ids[0], "invalid")]);
        answers[0].Text("error")!.ShouldContain("progress must have at most");
        answers[2].Text("error")!.ShouldContain("logs[0].at must be a time with a zone");
        (await Http.TaskAsync(ids[0])).GetProperty("lease_until").GetDateTime().ShouldBe(
            before.Single(t => t.Id() == ids[0]).GetProperty("lease_until").GetDateTime());
        (await Http.TaskAsync(ids[1])).GetProperty("lease_until").GetDateTime().ShouldBeGreaterThan(
            before.Single(t => t.Id() == ids[1]).GetProperty("lease_until").GetDateTime().AddMinutes(30));
    }

    [Fact]
    public async Task A_push_queue_cannot_be_claimed_from()
    {
        Problems.Expect(await Http.PostAsync("/workers/claim", new { queues = new[] { _queue, "tasks" }, worker = "w" }), 409,
            "push_queue");
    }

    [Fact]
    public async Task Sixteen_workers_share_a_thousand_tasks_and_none_twice()
    {
        var ids = await Http.SubmitManyAsync(Enumerable.Range(0, 1000).Select(i => new { action = "a", data = i, queue = _queue }));
        var seen = new ConcurrentDictionary<Guid, int>();
        await Task.WhenAll(Enumerable.Range(0, 16).Select(w => WorkAsync(w % 2 == 0 ? stack.Http : stack.OtherHttp, $"w{w}", seen)));

        seen.Keys.ShouldBe(ids, ignoreOrder: true);
        seen.Values.ShouldAllBe(times => times == 1);
        await using var db = stack.Database.CreateContext();
        var tasks = await db.Tasks.AsNoTracking().Where(t => t.Queue == _queue).ToListAsync();
        tasks.Count.ShouldBe(1000);
        tasks.ShouldAllBe(t => t.State == TaskStates.Completed && t.Attempt == 1);
    }

    private async Task WorkAsync(HttpClient http, string worker, ConcurrentDictionary<Guid, int> seen)
    {
        while (await http.ClaimAsync(_queue, max: 7, worker: worker) is { Count: > 0 } tasks)
        {
            foreach (var task in tasks)
                seen.AddOrUpdate(task.Id(), 1, (_, times) => times + 1);
            var codes = await http.TellAsync("report",
                [.. tasks.Select(t => new { id = t.Id(), attempt = t.Whole("attempt"), outcome = "completed", result = worker })]);
            codes.ShouldAllBe(code => code == "ok");
        }
    }

    /// <summary>One of three rounds is quick enough: the bound concerns the server, not the other load of this machine.</summary>
    private static async Task BestOfThreeAsync(TimeSpan bound, Func<Task<TimeSpan>> roundAsync)
    {
        var took = await roundAsync();
        for (var i = 1; i < 3 && took >= bound; i++)
            took = await roundAsync();
        took.ShouldBeLessThan(bound);
    }

    private Task<Guid> SubmitAsync(object body, HttpClient? http = null) => (http ?? Http).SubmitAsync(body);
}

public sealed class WorkersApiOnSqlite(SqliteStack stack) : WorkersApiTests(stack), IClassFixture<SqliteStack>;

public sealed class WorkersApiOnServers(ServersStack stack) : WorkersApiTests(stack), IClassFixture<ServersStack>;

public sealed class WorkersApiOnSplitRoles(SplitStack stack) : WorkersApiTests(stack), IClassFixture<SplitStack>;
