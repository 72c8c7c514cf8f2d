using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.EndToEnd.MoabJsonReading;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Not covered by the checks: duplicates, overrides, other APIs.</summary>
public abstract partial class MoabApiTests
{
    [Fact]
    public async Task A_duplicate_changes_what_it_names_and_no_more()
    {
        var queue = await server.QueueAsync(""","expires_in_seconds":600""");
        var first = (await server.EnqueueAsync(queue, """{"payload":"1","dedupe_key":"k","thread_id":"T"}""")).Single();
        var at = await server.NowAsync(queue) + (60 * Second);

        (await server.EnqueueAsync(queue, """{"payload":"2","dedupe_key":"k"}""")).ShouldBeEmpty();
        var scheduled = (await server.EnqueueAsync(queue,
            $$"""{"payload":"3","dedupe_key":"k","scheduled_at":{{at}},"overwrite_on_duplicate":["SCHEDULED_AT"],"thread_id":"U"}"""))
            .Single();
        var expiring = (await server.EnqueueAsync(queue,
            """{"payload":"4","dedupe_key":"k","overwrite_on_duplicate":["OVERWRITE_ON_DUPLICATE_EXPIRES_AT"]}""")).Single();
        var back = (await server.EnqueueAsync(queue,
            """{"payload":"5","dedupe_key":"k","scheduled_at":1,"overwrite_on_duplicate":["SCHEDULED_AT","PAYLOAD"]}""")).Single();

        new[] { scheduled, expiring, back }.Ids().ShouldAllBe(id => id == first.Text("id"));
        (scheduled.Text("payload"), scheduled.Long("scheduled_at"), scheduled.Long("expires_at"), scheduled.Text("thread_id"))
            .ShouldBe(("1", at / 1000 * 1000, first.Long("expires_at"), "T"));
        (expiring.Text("payload"), expiring.Long("scheduled_at")).ShouldBe(("1", at / 1000 * 1000));
        expiring.Long("expires_at").ShouldBeAbout(await server.NowAsync(queue) + (600 * Second), 5);
        back.Text("payload").ShouldBe("5");
        back.Long("scheduled_at").ShouldBeAbout(await server.NowAsync(queue), 5);

        // A running one is returned unchanged.
        (await server.DequeueAsync(queue, 10, Long)).Single().Text("payload").ShouldBe("5");
        var running = (await server.EnqueueAsync(queue,
            """{"payload":"6","dedupe_key":"k","overwrite_on_duplicate":["PAYLOAD"]}""")).Single();
        (running.Text("id"), running.Text("payload"), running.Text("state")).ShouldBe((first.Text("id"), "5", "TASK_STATE_IN_PROGRESS"));
        (await server.ReportAsync(queue, running.Text("id")!, 1, Succeeded)).ShouldBe("RESULT_OK");
        (await server.EnqueueAsync(queue, """{"dedupe_key":"k"}""")).Single().Text("id").ShouldNotBe(first.Text("id"));
    }

    [Fact]
    public async Task Duplicates_within_one_batch_are_detected()
    {
        var queue = await server.QueueAsync();

        var tasks = await server.EnqueueAsync(
            queue, """{"payload":"1","dedupe_key":"k"}""", """{"payload":"2","dedupe_key":"k"}""", """{"payload":"3"}""",
            """{"payload":"4","dedupe_key":"k","overwrite_on_duplicate":["PAYLOAD"]}""");

        tasks.Payloads().ShouldBe(["4", "3"]);
        (await server.ListAsync(queue)).Payloads().ShouldBe(["4", "3"]);
    }

    [Fact]
    public async Task Lease_durations_come_from_the_dequeue_the_task_or_the_queue()
    {
        var queue = await server.QueueAsync();
        await server.EnqueueAsync(queue, "{}", """{"keepalive_timeout_in_seconds":30}""", """{"keepalive_timeout_in_seconds":30}""");

        var tasks = await server.DequeueAsync(queue, 2);
        tasks.AddRange(await server.DequeueAsync(queue, 1, ""","keepalive_timeout_in_seconds":60"""));
        var now = await server.NowAsync(queue);

        tasks[0].Long("visible_at").ShouldBeAbout(now + (5 * Second), 4);
        tasks[1].Long("visible_at").ShouldBeAbout(now + (30 * Second), 4);
        tasks[2].Long("visible_at").ShouldBeAbout(now + (60 * Second), 4);
        (await server.ReportAsync(queue, tasks[0].Text("id")!, 1, InProgress,
            ""","keepalive_timeout_in_seconds":45""")).ShouldBe("RESULT_OK");
        (await server.TaskAsync(queue, tasks[0].Text("id")!)).Long("visible_at")
            .ShouldBeAbout(await server.NowAsync(queue) + (45 * Second), 4);
    }

    [Fact]
    public async Task An_expired_task_is_hidden_and_counted()
    {
        var queue = await server.QueueAsync();
        var id = await server.EnqueueOneAsync(queue, """{"expires_at":1,"dedupe_key":"k"}""");

        await server.ShouldBeGoneAsync(queue, id);
        (await server.DequeueAsync(queue)).ShouldBeEmpty();
        (await server.ListAsync(queue)).ShouldBeEmpty();
        await Eventually.UntilAsync(
            async () => (await server.StatsAsync(queue)).Long("expired_tasks_count") == 1, TestHttp.Patience, "it is swept");
        (await server.EnqueueAsync(queue, """{"dedupe_key":"k"}""")).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Counts_of_a_queue()
    {
        var queue = await server.QueueAsync();
        var empty = await server.GetQueueAsync(queue);
        empty.Names().ShouldBe(["queue", "schedules", "stats", "now"]);
        empty.GetProperty("stats").GetRawText().ShouldBe(
            """{"enqueued_tasks_count":0,"in_progress_tasks_count":0,"dead_tasks_count":0"""
            + ""","processed_tasks_count":0,"expired_tasks_count":0,"age_of_oldest_enqueued_task":0}""");
        var later = empty.Long("now") + (3600 * Second);
        await server.EnqueueOneAsync(queue, $$"""{"scheduled_at":{{later}}}""");
        (await server.StatsAsync(queue)).Long("age_of_oldest_enqueued_task").ShouldBe(0);

        await server.EnqueueAsync(queue, """{"thread_id":"T"}""", """{"thread_id":"T"}""");

        (await server.StatsAsync(queue)).Long("enqueued_tasks_count").ShouldBe(3);
        (await server.StatsAsync(queue)).Long("age_of_oldest_enqueued_task").ShouldBeInRange(1, 10 * Second);
        (await server.DequeueAsync(queue)).Count.ShouldBe(1);
        (await server.StatsAsync(queue)).Long("age_of_oldest_enqueued_task").ShouldBe(0); // the other one waits for its ordering key
    }

    [Fact]
    public async Task A_deleted_queue_is_gone_with_all_it_had()
    {
        var queue = await server.QueueAsync();
        var id = await server.EnqueueOneAsync(queue);
        await server.OkAsync("CreateSchedule", Schedule(queue, "s"));

        (await server.OkAsync("DeleteQueue", $$"""{"queue_name":"{{queue}}"}""")).GetRawText().ShouldBe("{}");

        await server.RefusedAsync("DeleteQueue", $$"""{"queue_name":"{{queue}}"}""", 404, "NOT_FOUND");
        await server.OkAsync("CreateQueue", $$"""{"name":"{{queue}}","keepalive_timeout_in_seconds":5}""");
        await server.ShouldBeGoneAsync(queue, id);
        var read = await server.GetQueueAsync(queue);
        read.GetProperty("schedules").GetArrayLength().ShouldBe(0);
        read.GetProperty("queue").Whole("version").ShouldBe(1);
        await server.RefusedAsync("DeleteQueue", """{"queue_name":"tasks"}""");
    }

    [Fact]
    public async Task Schedules_are_read_replaced_and_deleted()
    {
        var queue = await server.QueueAsync();
        var made = (await server.OkAsync("CreateSchedule", Schedule(queue, "s",
            ""","description":"d","payload":"p","dedupe_key":"k","retry_strategy":{}"""
            + ""","keepalive_timeout_in_seconds":7,"expires_in_seconds":9"""))).GetProperty("schedule");
        const string Get = "GetSchedule";
        var names = $$"""{"queue_name":"{{queue}}","schedule_name":"s"}""";

        (await server.OkAsync(Get, names)).GetProperty("schedule").GetRawText().ShouldBe(made.GetRawText());
        made.GetProperty("retry_strategy").GetRawText().ShouldBe("""{"retry_intervals_in_seconds":[]}""");
        (made.Text("description"), made.Text("payload"), made.Text("dedupe_key"), made.Long("keepalive_timeout_in_seconds"),
            made.Long("expires_in_seconds")).ShouldBe(("d", "p", "k", 7, 9));
        var updated = (await server.OkAsync("UpdateSchedule", ScheduleUpdate(queue, "s",
            ""","expected_version":1"""))).GetProperty("schedule");
        updated.Whole("version").ShouldBe(2);
        updated.Long("created_at").ShouldBe(made.Long("created_at"));
        (updated.Text("description"), updated.Text("payload"), updated.Text("dedupe_key"), updated.Long("keepalive_timeout_in_seconds"),
            updated.Long("expires_in_seconds")).ShouldBe(("", "", "", 0, 0));
        updated.GetProperty("retry_strategy").ValueKind.ShouldBe(JsonValueKind.Null);
        await RefusedUnchangedAsync(queue, "UpdateSchedule", ScheduleUpdate(queue, "s", ""","expected_version":1"""));
        foreach (var (cron, zone) in new[] { ("", "UTC"), ("61 * * * *", "UTC"), ("* * * * *", ""), ("* * * * *", "Mars/X") })
            await RefusedUnchangedAsync(queue, "UpdateSchedule",
                $$"""{"queue_name":"{{queue}}","schedule_name":"s","cron":"{{cron}}","timezone":"{{zone}}"}""");
        // The fields go first
        await server.RefusedAsync("CreateSchedule", """{"queue_name":"nobody","name":"s","cron":"bad","timezone":"UTC"}""");
        await server.OkAsync("DeleteSchedule", names);
        foreach (var rpc in new[] { Get, "DeleteSchedule" })
            (await server.RefusedAsync(rpc, names, 404, "NOT_FOUND")).GetProperty("details").Text("schedule_name").ShouldBe("s");
        await server.RefusedAsync("UpdateSchedule", ScheduleUpdate(queue, "s"), 404, "NOT_FOUND");
    }

    [Fact]
    public async Task Tasks_of_other_APIs_are_visible_in_their_queue_until_they_end()
    {
        var queue = await server.QueueAsync();
        var native = await server.Http.SubmitAsync(new { action = "a", queue });
        var own = await server.EnqueueOneAsync(queue, """{"payload":"not json"}""");

        var tasks = await server.DequeueAsync(queue, 10, Long);

        var id = Adapters.Moab.MoabTaskId.Format(native);
        tasks.Ids().ShouldBe([id, own]);
        id.Length.ShouldBeGreaterThan(24);
        JsonDocument.Parse(tasks[0].Text("payload")!).RootElement.Text("action").ShouldBe("a");
        var guid = Adapters.Moab.MoabTaskId.Parse(own)!.Value;
        (await server.Http.TaskAsync(guid)).Text("payload").ShouldBe("not json");
        (await server.ReportAsync(queue, id, 1, Succeeded)).ShouldBe("RESULT_OK");
        (await server.Http.TaskAsync(native)).Text("status").ShouldBe("completed");
        await server.ShouldBeGoneAsync(queue, id);
        (await server.Http.PostAsync($"/tasks/{guid}/cancel", "")).Status.ShouldBe(200);
        await server.ShouldBeGoneAsync(queue, own);
        (await server.ReportAsync(queue, own, 1, Succeeded)).ShouldBe("RESULT_NOT_FOUND");
        await server.OkAsync("DeleteTasks", $$"""{"queue_name":"{{queue}}","task_ids":["{{id}}","{{own}}"]}""");
        (await server.Http.TaskAsync(native)).Text("status").ShouldBe("completed"); // for Moab it was deleted long ago
    }

    [Fact]
    public async Task An_update_keeps_settings_that_only_other_APIs_have()
    {
        var queue = server.NewName();
        var settings = """{"events":"terminal","keep_finished_seconds":120,"tiers":{"1":{"priority":"low"}},"description":"d"}""";
        (await server.Http.PutAsync($"/queues/{queue}", settings)).Status.ShouldBe(201);

        await UpdateAsync(queue, "");

        var read = (await server.Http.ReadAsync($"/queues/{queue}")).Json;
        (read.Text("events"), read.GetProperty("keep_finished_seconds").GetDouble(), read.Text("description"))
            .ShouldBe(("terminal", 120, ""));
        read.GetProperty("tiers").GetProperty("1").Text("priority").ShouldBe("low");
    }

    [Fact]
    public async Task A_push_queue_cannot_be_dequeued_from()
    {
        await server.RefusedAsync("Dequeue", """{"queue_name":"tasks"}""");
        (await server.GetQueueAsync("tasks")).GetProperty("queue").Whole("version").ShouldBe(1);
    }

    [Fact]
    public async Task A_task_belongs_only_to_its_own_queue()
    {
        var queue = await server.QueueAsync();
        var other = await server.QueueAsync();
        var id = await server.EnqueueOneAsync(queue, """{"keepalive_timeout_in_seconds":60}""");
        await server.DequeueAsync(queue);

        await server.ShouldBeGoneAsync(other, id);
        (await server.ReportAsync(other, id, 1, Succeeded)).ShouldBe("RESULT_NOT_FOUND");
        await server.OkAsync("DeleteTasks", $$"""{"queue_name":"{{other}}","task_ids":["{{id}}"]}""");
        (await server.TaskAsync(queue, id)).Text("state").ShouldBe("TASK_STATE_IN_PROGRESS");
        await server.OkAsync("DeleteTasks", $$"""{"queue_name":"{{queue}}","task_ids":["{{id}}"]}""");
        await server.ShouldBeGoneAsync(queue, id);
    }

    [Fact]
    public async Task Ids_grow_in_the_order_of_the_entries()
    {
        var queue = await server.QueueAsync();
        var ids = new List<Guid>();
        for (var batch = 0; batch < 20; batch++)
        {
            var tasks = await server.EnqueueAsync(queue, [.. Enumerable.Range(0, 10).Select(i => $$"""{"payload":"{{i}}"}""")]);
            tasks.Payloads().ShouldBe([.. Enumerable.Range(0, 10).Select(i => $"{i}")]);
            ids.AddRange(tasks.Ids().Select(id => Adapters.Moab.MoabTaskId.Parse(id!)!.Value));
        }

        ids.ShouldBe(ids.Distinct().Order());
    }
}
