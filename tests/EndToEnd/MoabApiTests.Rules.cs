using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.EndToEnd.MoabJsonReading;

namespace TaskQueue.Tests.EndToEnd;

public abstract partial class MoabApiTests
{
    [Fact]
    public async Task Check_15_restart_dead_tasks()
    {
        var queue = await server.QueueAsync(DeadLetters);
        var id = await server.KillAsync(queue, """{"payload":"p","dedupe_key":"k"}""");
        var created = (await server.TaskAsync(queue, id)).Long("created_at");

        var restarted = await RestartAsync(queue, $$"""entries":[{"task_id":"{{id}}"}]""");

        restarted.Text("result").ShouldBe("RESULT_RESTARTED");
        var task = restarted.GetProperty("task");
        task.Text("id").ShouldBe(id);
        task.Whole("attempts").ShouldBe(0);
        task.Text("state").ShouldBe("TASK_STATE_ENQUEUED");
        task.Long("created_at").ShouldBe(created);
        task.Text("payload").ShouldBe("p");
        (await RestartAsync(queue, $$"""entries":[{"task_id":"{{id}}"}]""")).Names().ShouldBe(["task_id", "result"]);
        (await RestartAsync(queue, $$"""task_ids":["{{id}}"]""")).Text("result").ShouldBe("RESULT_NOT_DEAD");

        // Attempts start again at 1, and a report of the first life is no longer accepted.
        (await server.DequeueAsync(queue, 10, Long)).Single().Whole("attempts").ShouldBe(1);
        (await server.ReportAsync(queue, id, 2, Failed)).ShouldBe("RESULT_STALE_ATTEMPT");
        (await server.ReportAsync(queue, id, 1, Failed)).ShouldBe("RESULT_OK");
        await server.EnqueueOneAsync(queue, """{"dedupe_key":"k"}""");
        (await RestartAsync(queue, $$"""entries":[{"task_id":"{{id}}"}]""")).Text("result").ShouldBe("RESULT_DEDUPE_CONFLICT");
        (await server.TaskAsync(queue, id)).Text("state").ShouldBe("TASK_STATE_DEAD");
        var other = await server.KillAsync(await server.QueueAsync(DeadLetters));
        (await RestartAsync(queue, $$"""task_ids":["{{other}}"]""")).Text("result").ShouldBe("RESULT_NOT_FOUND");
    }

    [Fact]
    public async Task Check_15_a_restart_may_set_a_time()
    {
        var queue = await server.QueueAsync(DeadLetters + ""","expires_in_seconds":60""");
        var id = await server.KillAsync(queue);
        var at = await server.NowAsync(queue) + (30 * Second);
        await server.RefusedAsync("RestartTasks",
            $$"""{"queue_name":"{{queue}}","entries":[{"task_id":"{{id}}","scheduled_at":{{at + (15 * 86_400 * Second)}}}]}""");

        var task = (await RestartAsync(queue, $$"""entries":[{"task_id":"{{id}}","scheduled_at":{{at}}}]""")).GetProperty("task");

        task.Long("scheduled_at").ShouldBe(at / 1000 * 1000);
        task.Long("expires_at").ShouldBeAbout(at + (60 * Second));
        (await server.DequeueAsync(queue)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Check_16_a_paused_queue_hands_out_nothing()
    {
        var queue = await server.QueueAsync();
        await server.EnqueueOneAsync(queue);

        await UpdateAsync(queue, ""","dequeuing_settings":{"dequeuing_paused":true}""");

        (await server.DequeueAsync(queue)).ShouldBeEmpty();
        await server.EnqueueOneAsync(queue);
        (await server.DequeueAsync(queue)).ShouldBeEmpty();
        await UpdateAsync(queue, "");
        (await server.DequeueAsync(queue)).Count.ShouldBe(2);
    }

    [Fact]
    public async Task Check_17_a_rate_limit()
    {
        var queue = await server.QueueAsync(
            ""","dequeuing_settings":{"rate_limiting":{"max_tokens":2,"interval":10,"interval_unit":"SECONDS"}}""");
        (await server.EnqueueAsync(queue, [.. Enumerable.Repeat("{}", 5)])).Count.ShouldBe(5);

        var full = await server.NowAsync(queue);
        (await TakeAsync(queue)).Count.ShouldBe(2);

        // A token every five seconds, however long a call takes.
        await Eventually.UntilAsync(
            async () =>
            {
                var (now, taken) = await TakeAsync(queue);
                ((long)taken).ShouldBeLessThanOrEqualTo((now - full) / (5 * Second));
                return taken > 0;
            },
            TestHttp.Patience, "a token has come back");
    }

    [Fact]
    public async Task Check_17_a_limit_of_tasks_in_progress()
    {
        var queue = await server.QueueAsync(""","dequeuing_settings":{"max_in_progress_tasks":1}""");
        await server.EnqueueAsync(queue, "{}", "{}");

        var first = (await server.DequeueAsync(queue, 10, Long)).Single();
        (await server.DequeueAsync(queue)).ShouldBeEmpty();
        (await server.ReportAsync(queue, first.Text("id")!, 1, Succeeded)).ShouldBe("RESULT_OK");

        (await server.DequeueAsync(queue)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Check_18_an_update_replaces_everything()
    {
        var queue = await server.QueueAsync(
            ""","description":"d","retry_strategy":{"retry_intervals_in_seconds":[1]},"expires_in_seconds":60""" + DeadLetters);
        var before = (await server.GetQueueAsync(queue)).GetProperty("queue");

        var updated = await UpdateAsync(queue, "");

        before.Text("description").ShouldBe("d");
        updated.Text("description").ShouldBe("");
        updated.Whole("version").ShouldBe(2);
        updated.Long("expires_in_seconds").ShouldBe(1209600);
        updated.GetProperty("retry_strategy").ValueKind.ShouldBe(JsonValueKind.Null);
        updated.GetProperty("dead_letter_queue_config").ValueKind.ShouldBe(JsonValueKind.Null);
        updated.Long("created_at").ShouldBe(before.Long("created_at"));
        updated.Long("updated_at").ShouldBeGreaterThan(before.Long("updated_at"));
        (await server.GetQueueAsync(queue)).GetProperty("queue").GetRawText().ShouldBe(updated.GetRawText());
        var stale = await server.RefusedAsync("UpdateQueue",
            $$"""{"queue_name":"{{queue}}","keepalive_timeout_in_seconds":5,"expected_version":1}""");
        stale.GetProperty("details").Text("actual_version").ShouldBe("2");
        (await UpdateAsync(queue, ""","expected_version":2""")).Whole("version").ShouldBe(3);
        (await UpdateAsync(queue, ""","expected_version":0""")).Whole("version").ShouldBe(4);
        (await UpdateAsync(queue, "")).Whole("version").ShouldBe(5);
    }

    [Fact]
    public async Task Check_19_an_ordering_key_runs_one_task_at_a_time()
    {
        var queue = await server.QueueAsync();
        await server.EnqueueAsync(queue, """{"payload":"t1","thread_id":"T"}""", """{"payload":"t2","thread_id":"T"}""",
            """{"payload":"u"}""");

        (await server.ListAsync(queue, ""","state":"ENQUEUED" """)).Payloads().ShouldBe(["t1", "u"]);
        var first = await server.DequeueAsync(queue, 10, Long);
        (await server.DequeueAsync(queue)).ShouldBeEmpty();
        (await server.ReportAsync(queue, first[0].Text("id")!, 1, Succeeded)).ShouldBe("RESULT_OK");

        first.Payloads().ShouldBe(["t1", "u"]);
        first[0].Text("thread_id").ShouldBe("T");
        (await server.DequeueAsync(queue)).Payloads().ShouldBe(["t2"]);
    }

    [Fact]
    public async Task Check_20_schedules()
    {
        var queue = await server.QueueAsync();
        var body = $$"""
            {"queue_name":"{{queue}}","name":"every-second","cron":"* * * * * *","timezone":"America/Los_Angeles",
             "payload":"tick","description":"d"}
            """;

        var schedule = (await server.OkAsync("CreateSchedule", body)).GetProperty("schedule");

        schedule.Names().ShouldBe(
            ["name", "description", "queue_name", "created_at", "updated_at", "version", "cron", "timezone", "payload", "dedupe_key",
                "expires_in_seconds", "keepalive_timeout_in_seconds", "retry_strategy"]);
        schedule.Whole("version").ShouldBe(1);
        var ticks = new List<JsonElement>();
        await Eventually.UntilAsync(
            async () =>
            {
                ticks.AddRange(await server.DequeueAsync(queue));
                return ticks.Count >= 3;
            },
            TimeSpan.FromSeconds(65), "three ticks have come");
        ticks.ShouldAllBe(t => t.Text("payload") == "tick");
        var at = ticks.ConvertAll(t => TickOf(t.Text("id")!));
        at.ShouldAllBe(tick => tick % 1000 == 0);
        at.Order().ShouldBe(Enumerable.Range(0, at.Count).Select(i => at.Min() + (i * 1000L)), "each second once");

        await server.RefusedAsync("CreateSchedule", body.Replace("* * * * * *", "61 * * * *", StringComparison.Ordinal)
            .Replace("every-second", "x", StringComparison.Ordinal));
        await server.RefusedAsync("CreateSchedule", body.Replace("America/Los_Angeles", "Mars/X", StringComparison.Ordinal)
            .Replace("every-second", "x", StringComparison.Ordinal));
        await server.RefusedAsync("CreateSchedule", body, 409, "ALREADY_EXISTS");
        (await server.GetQueueAsync(queue)).GetProperty("schedules").EnumerateArray().Single().GetRawText().ShouldBe(schedule.GetRawText());
        (await server.OkAsync("DeleteSchedule",
            $$"""{"queue_name":"{{queue}}","schedule_name":"every-second"}""")).GetRawText().ShouldBe("{}");
        (await server.GetQueueAsync(queue)).GetProperty("schedules").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task Check_21_purge()
    {
        var queue = await server.QueueAsync(DeadLetters);
        await server.KillAsync(queue);
        var running = await server.EnqueueOneAsync(queue, """{"keepalive_timeout_in_seconds":60}""");
        (await server.DequeueAsync(queue)).Single().Text("id").ShouldBe(running);
        await server.EnqueueAsync(queue, "{}", "{}", """{"dedupe_key":"k","thread_id":"T"}""");
        await server.OkAsync("CreateSchedule", $$"""{"queue_name":"{{queue}}","name":"s","cron":"0 0 1 1 *","timezone":"UTC"}""");
        (await server.StatsAsync(queue)).EnumerateObject().Take(3).Select(m => m.Value.GetInt64()).ShouldBe([3L, 1L, 1L]);

        (await server.OkAsync("PurgeQueue", $$"""{"queue_name":"{{queue}}"}""")).GetRawText().ShouldBe("{}");

        (await server.ListAsync(queue)).ShouldBeEmpty();
        (await server.ReportAsync(queue, running, 1, Succeeded)).ShouldBe("RESULT_NOT_FOUND");
        var read = await server.GetQueueAsync(queue);
        read.GetProperty("schedules").GetArrayLength().ShouldBe(1);
        read.GetProperty("queue").Whole("version").ShouldBe(1);
        read.GetProperty("stats").EnumerateObject().ShouldAllBe(m => m.Value.GetInt64() == 0);
        var kept = await server.EnqueueOneAsync(queue, """{"dedupe_key":"k","thread_id":"T"}""");
        (await server.DequeueAsync(queue)).Ids().ShouldBe([kept]);
    }

    /// <summary>When as many tasks as possible were dequeued, and how many.</summary>
    private async Task<(long Now, int Count)> TakeAsync(string queue)
    {
        var answer = await server.OkAsync("Dequeue", $$"""{"queue_name":"{{queue}}","batch_size":10}""");
        return (answer.Long("now"), MoabServer.Tasks(answer).Count);
    }

    /// <summary>The tick of a schedule's task, in Unix milliseconds.</summary>
    private static long TickOf(string id) => Convert.ToInt64($"{Adapters.Moab.MoabTaskId.Parse(id):N}"[..12], 16);

    private async Task<JsonElement> RestartAsync(string queue, string entries)
    {
        var answer = await server.OkAsync("RestartTasks", $$"""{"queue_name":"{{queue}}","{{entries}}}""");
        answer.Long("now").ShouldBeGreaterThan(0);
        return answer.GetProperty("entries").EnumerateArray().Single();
    }

    private async Task<JsonElement> UpdateAsync(string queue, string more) =>
        (await server.OkAsync("UpdateQueue",
            $$"""{"queue_name":"{{queue}}","keepalive_timeout_in_seconds":5{{more}}}""")).GetProperty("queue");
}
