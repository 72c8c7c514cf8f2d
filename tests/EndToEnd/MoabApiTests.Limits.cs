using Shouldly;
using Xunit;
using static TaskQueue.Tests.EndToEnd.MoabJsonReading;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Each documented limit (moab.md 2): at it, one below and one above. Refused requests change nothing.</summary>
public abstract partial class MoabApiTests
{
    private const int LongestLife = 1209600;

    [Fact]
    public async Task Limits_of_names()
    {
        var queue = await server.QueueAsync();
        foreach (var length in new[] { 1, 127, 128 })
        {
            var name = Text(length, $"n{length}-");
            await server.OkAsync("CreateQueue", $$"""{"name":"{{name}}","keepalive_timeout_in_seconds":5}""");
            await server.OkAsync("Enqueue", $$"""{"queue_name":"{{name}}","entries":[{}]}""");
            (await server.DequeueAsync(name)).Count.ShouldBe(1);
            await server.OkAsync("CreateSchedule", Schedule(queue, name));
            await server.OkAsync("GetSchedule", $$"""{"queue_name":"{{queue}}","schedule_name":"{{name}}"}""");
            await server.OkAsync("DeleteSchedule", $$"""{"queue_name":"{{queue}}","schedule_name":"{{name}}"}""");
        }

        foreach (var name in new[] { "", Text(129), "a b", "ä", @"a\n", "a.b", "a/b" })
        {
            await server.RefusedAsync("CreateQueue", $$"""{"name":"{{name}}","keepalive_timeout_in_seconds":5}""");
            await server.RefusedAsync("GetQueue", $$"""{"queue_name":"{{name}}"}""");
            await RefusedUnchangedAsync(queue, "CreateSchedule", Schedule(queue, name));
        }

        await server.RefusedAsync("CreateQueue", """{"keepalive_timeout_in_seconds":5}""");
        await server.RefusedAsync("CreateQueue", """{"name":null,"keepalive_timeout_in_seconds":5}""");
    }

    [Fact]
    public async Task Limits_of_descriptions()
    {
        foreach (var length in new[] { 0, 1023, 1024 })
        {
            var queue = await server.QueueAsync($$""","description":"{{Text(length)}}" """);
            (await server.GetQueueAsync(queue)).GetProperty("queue").Text("description").ShouldBe(Text(length));
            await server.OkAsync("CreateSchedule", Schedule(queue, "s", $$""","description":"{{Text(length)}}" """));
            await RefusedUnchangedAsync(queue, "CreateSchedule", Schedule(queue, "t", $$""","description":"{{Text(1025)}}" """));
            await RefusedUnchangedAsync(queue, "UpdateSchedule", ScheduleUpdate(queue, "s", $$""","description":"{{Text(1025)}}" """));
        }

        await RefusedSettingsAsync($$""" "description":"{{Text(1025)}}" """);
    }

    [Fact]
    public async Task Limits_of_keys()
    {
        var queue = await server.QueueAsync();
        foreach (var member in new[] { "dedupe_key", "thread_id" })
        {
            foreach (var length in new[] { 0, 1, 255, 256 })
                (await server.EnqueueAsync(queue, $$"""{"{{member}}":"{{Text(length)}}"}""")).Single().Text(member).ShouldBe(Text(length));
            await RefusedEntryAsync(queue, $$"""{"{{member}}":"{{Text(257)}}"}""");
            await RefusedEntryAsync(queue, $$"""{"{{member}}":"a\u0000"}""");
        }

        await server.OkAsync("CreateSchedule", Schedule(queue, "s", $$""","dedupe_key":"{{Text(256)}}" """));
        await RefusedUnchangedAsync(queue, "CreateSchedule", Schedule(queue, "t", $$""","dedupe_key":"{{Text(257)}}" """));
    }

    [Fact]
    public async Task Limits_of_payloads()
    {
        var queue = await server.QueueAsync();
        foreach (var payload in new[] { "", Text(65_535), Text(65_536), new string('é', 32_768) })
        {
            (await server.EnqueueAsync(queue, $$"""{"payload":"{{payload}}"}""")).Single().Text("payload").ShouldBe(payload);
            (await server.DequeueAsync(queue, 10, ""","keepalive_timeout_in_seconds":60""")).Payloads().ShouldBe([payload]);
        }

        var bytes = Convert.ToBase64String(Enumerable.Repeat((byte)0xFF, 65_536).ToArray());
        (await server.EnqueueAsync(queue, $$"""{"payload_base64":"{{bytes}}"}""")).Single().Text("payload_base64").ShouldBe(bytes);
        await RefusedEntryAsync(queue, $$"""{"payload":"{{Text(65_537)}}"}""");
        await RefusedEntryAsync(queue, $$"""{"payload":"{{new string('é', 32_769)}}"}""");
        await RefusedEntryAsync(queue, $$"""{"payload_base64":"{{Convert.ToBase64String(new byte[65_537])}}"}""");
        await RefusedUnchangedAsync(queue, "CreateSchedule", Schedule(queue, "s", $$""","payload":"{{Text(65_537)}}" """));
        await server.OkAsync("CreateSchedule", Schedule(queue, "s", $$""","payload":"{{Text(65_536)}}" """));
    }

    [Fact]
    public async Task Limits_of_an_enqueue()
    {
        var queue = await server.QueueAsync();
        foreach (var count in new[] { 1, 9, 10 })
            (await server.EnqueueAsync(queue, [.. Enumerable.Repeat("{}", count)])).Count.ShouldBe(count);
        foreach (var count in new[] { 0, 11 })
            await RefusedUnchangedAsync(queue, "Enqueue",
                $$"""{"queue_name":"{{queue}}","entries":[{{string.Join(',', Enumerable.Repeat("{}", count))}}]}""");
        await RefusedUnchangedAsync(queue, "Enqueue", $$"""{"queue_name":"{{queue}}"}""");
        await RefusedUnchangedAsync(queue, "Enqueue", $$"""{"queue_name":"{{queue}}","entries":[{},null]}""");
        await RefusedUnchangedAsync(queue, "Enqueue", """{"entries":[{}]}""");
    }

    [Fact]
    public async Task Limits_of_a_dequeue()
    {
        var queue = await server.QueueAsync();
        for (var batch = 0; batch < 3; batch++)
            await server.EnqueueAsync(queue, [.. Enumerable.Repeat("{}", 10)]);
        foreach (var size in new[] { -1, 11, int.MaxValue })
            await RefusedUnchangedAsync(queue, "Dequeue", $$"""{"queue_name":"{{queue}}","batch_size":{{size}}}""");

        foreach (var (size, expected) in new[] { (0, 1), (1, 1), (9, 9), (10, 10) })
            (await server.DequeueAsync(queue, size)).Count.ShouldBe(expected);
        MoabServer.Tasks(await server.OkAsync("Dequeue", $$"""{"queue_name":"{{queue}}"}""")).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Limits_of_keepalive_timeouts()
    {
        foreach (var seconds in new[] { -1, 0, 4, 61 })
            await RefusedSettingsAsync("", seconds);
        foreach (var seconds in new[] { 5, 6, 59, 60 })
        {
            var name = server.NewName();
            (await server.OkAsync("CreateQueue", $$"""{"name":"{{name}}","keepalive_timeout_in_seconds":{{seconds}}}"""))
                .GetProperty("queue").Long("keepalive_timeout_in_seconds").ShouldBe(seconds);
        }

        var queue = await server.QueueAsync();
        foreach (var seconds in new[] { -1, 1, 4, 61 })
        {
            await RefusedEntryAsync(queue, $$"""{"keepalive_timeout_in_seconds":{{seconds}}}""");
            await RefusedUnchangedAsync(queue, "Dequeue", $$"""{"queue_name":"{{queue}}","keepalive_timeout_in_seconds":{{seconds}}}""");
            await RefusedUnchangedAsync(queue, "CreateSchedule", Schedule(queue, "s", $$""","keepalive_timeout_in_seconds":{{seconds}}"""));
        }

        foreach (var seconds in new[] { 0, 5, 6, 59, 60 })
        {
            var keepalive = $$""","keepalive_timeout_in_seconds":{{seconds}}""";
            await server.OkAsync("CreateSchedule", Schedule(await server.QueueAsync(), "s", keepalive));
            var other = await server.QueueAsync();
            var asked = await server.EnqueueOneAsync(other, $$"""{"payload":""{{keepalive}}}""");
            (await server.DequeueAsync(other)).Ids().ShouldBe([asked]);
            var overridden = await server.EnqueueOneAsync(other);
            (await server.DequeueAsync(other, 10, keepalive)).Ids().ShouldContain(overridden); // the other lease may have expired
            await server.EnqueueOneAsync(queue);
        }

        var tasks = await server.DequeueAsync(queue, 10, Long);
        foreach (var id in tasks.Ids())
        {
            foreach (var seconds in new[] { 0, 60, 5, 60, 6, 60, 59, 60 }) // the long ones for the time that the rest takes
                (await server.ReportAsync(queue, id!, 1, InProgress,
                    $$""","keepalive_timeout_in_seconds":{{seconds}}""")).ShouldBe("RESULT_OK");
        }

        foreach (var seconds in new[] { -1, 4, 61 })
        {
            await RefusedUnchangedAsync(queue, "ReportStatus", $$"""
                {"queue_name":"{{queue}}","entries":[{"task_id":"{{tasks[0].Text("id")}}","attempt":1,"status":"IN_PROGRESS",
                 "keepalive_timeout_in_seconds":{{seconds}}}]}
                """);
        }
    }

    [Fact]
    public async Task Limits_of_expiry_and_retention()
    {
        foreach (var seconds in new[] { -1, 4, LongestLife + 1 })
        {
            await RefusedSettingsAsync($$""" "expires_in_seconds":{{seconds}}""");
            await RefusedSettingsAsync($$""" "dead_letter_queue_config":{"enable":true,"retention_period_in_seconds":{{seconds}}}""");
            await RefusedSettingsAsync($$""" "dead_letter_queue_config":{"enable":false,"retention_period_in_seconds":{{seconds}}}""");
        }

        var schedules = await server.QueueAsync();
        foreach (var (seconds, shown) in new[] { (0, LongestLife), (5, 5), (6, 6), (LongestLife - 1, LongestLife - 1),
            (LongestLife, LongestLife) })
        {
            var name = await server.QueueAsync(
                $$""","expires_in_seconds":{{seconds}},"dead_letter_queue_config":"""
                + $$"""{"enable":true,"retention_period_in_seconds":{{seconds}}}""");
            var queue = (await server.GetQueueAsync(name)).GetProperty("queue");
            queue.Long("expires_in_seconds").ShouldBe(shown);
            queue.GetProperty("dead_letter_queue_config").Long("retention_period_in_seconds").ShouldBe(shown);
            var schedule = await server.OkAsync("CreateSchedule", Schedule(name, "s", $$""","expires_in_seconds":{{seconds}}"""));
            schedule.GetProperty("schedule").Long("expires_in_seconds").ShouldBe(seconds);
        }

        foreach (var seconds in new[] { -1, 4, LongestLife + 1 })
            await RefusedUnchangedAsync(schedules, "CreateSchedule", Schedule(schedules, "s", $$""","expires_in_seconds":{{seconds}}"""));
    }

    [Fact]
    public async Task Limits_of_numbers_in_settings()
    {
        foreach (var number in new[] { "-1", "2147483648", "9223372036854775808", "1.5", "1e2" })
        {
            await RefusedSettingsAsync($$""" "dead_letter_queue_config":{"enable":true,"max_size":{{number}}}""");
            await RefusedSettingsAsync($$""" "dequeuing_settings":{"max_in_progress_tasks":{{number}}}""");
            await RefusedSettingsAsync(
                $$$""" "dequeuing_settings":{"rate_limiting":{"max_tokens":{{{number}}},"interval":1,"interval_unit":"SECONDS"}}""");
            await RefusedSettingsAsync(
                $$$""" "dequeuing_settings":{"rate_limiting":{"max_tokens":1,"interval":{{{number}}},"interval_unit":"SECONDS"}}""");
        }

        await RefusedSettingsAsync(""" "dequeuing_settings":{"max_in_progress_tasks":1000001}""");
        await RefusedSettingsAsync(
            """ "dequeuing_settings":{"rate_limiting":{"max_tokens":1000001,"interval":1,"interval_unit":"SECONDS"}}""");
        await RefusedSettingsAsync(""" "dequeuing_settings":{"rate_limiting":{"max_tokens":1,"interval":8761,"interval_unit":"HOURS"}}""");
        await server.QueueAsync(""","dequeuing_settings":{"rate_limiting":{"max_tokens":1,"interval":8760,"interval_unit":"HOURS"}}""");

        await RefusedSettingsAsync(""" "dequeuing_settings":{"rate_limiting":{"max_tokens":1,"interval":1}}""");
        await RefusedSettingsAsync(""" "dequeuing_settings":{"rate_limiting":{"max_tokens":1,"interval":1,"interval_unit":"DAYS"}}""");
        foreach (var number in new[] { 0, 1, int.MaxValue })
            await server.QueueAsync($$""","dead_letter_queue_config":{"enable":true,"max_size":{{number}}}""");
        foreach (var number in new[] { 0, 1, 1_000_000 })
        {
            await server.QueueAsync(
                $$$""","dequeuing_settings":{"max_in_progress_tasks":{{{number}}},"rate_limiting":"""
                + $$$"""{"max_tokens":{{{number}}},"interval":1,"interval_unit":"SECONDS"}}""");
        }
    }

    [Fact]
    public async Task Limits_of_retries()
    {
        var queue = await server.QueueAsync();
        foreach (var wrong in new[] { Intervals(22), "-1", "901" })
        {
            var strategy = $$""" "retry_strategy":{"retry_intervals_in_seconds":[{{wrong}}]}""";
            await RefusedSettingsAsync(strategy);
            await RefusedEntryAsync(queue, $$"""{{{strategy}}}""");
            await RefusedUnchangedAsync(queue, "CreateSchedule", Schedule(queue, "s", "," + strategy));
        }

        foreach (var intervals in new[] { "", "0", "1", "899", "900", Intervals(20), Intervals(21) })
        {
            var strategy = $$""" "retry_strategy":{"retry_intervals_in_seconds":[{{intervals}}]}""";
            var shown = (await server.GetQueueAsync(await server.QueueAsync("," + strategy))).GetProperty("queue")
                .GetProperty("retry_strategy");
            shown.GetProperty("retry_intervals_in_seconds").GetRawText().ShouldBe($"[{intervals}]");
            await server.EnqueueOneAsync(queue, $$"""{{{strategy}}}""");
        }
    }

    [Fact]
    public async Task Limits_of_times()
    {
        var queue = await server.QueueAsync();
        var horizon = await server.NowAsync(queue) + (14 * 86_400 * Second);
        foreach (var number in new[] { "-1", $"{horizon + (60 * Second)}", "1.7e18", "1.5", "9223372036854775808" })
            await RefusedEntryAsync(queue, $$"""{"scheduled_at":{{number}}}""");
        foreach (var number in new[] { "-1", "1.7e18", "1.5" })
            await RefusedEntryAsync(queue, $$"""{"expires_at":{{number}}}""");

        foreach (var number in new[] { 0, 1, horizon - (60 * Second) })
            await server.EnqueueOneAsync(queue, $$"""{"scheduled_at":{{number}}}""");
        (await server.EnqueueAsync(queue, """{"payload":"never","expires_at":1}""")).Count.ShouldBe(1);
        (await server.EnqueueAsync(queue, """{"payload":"always","expires_at":9223372036854775807}""")).Count.ShouldBe(1);
        (await server.DequeueAsync(queue)).Payloads().ShouldBe(["", "", "always"]);
    }

    private static string Text(int length, string start = "") =>
        length < start.Length ? new string('a', length) : start.PadRight(length, 'a');

    private static string Intervals(int count) => string.Join(',', Enumerable.Range(0, count));

    private static string Schedule(string queue, string name, string more = "") =>
        $$"""{"queue_name":"{{queue}}","name":"{{name}}","cron":"0 0 1 1 *","timezone":"UTC"{{more}}}""";

    private static string ScheduleUpdate(string queue, string name, string more = "") =>
        $$"""{"queue_name":"{{queue}}","schedule_name":"{{name}}","cron":"0 0 1 1 *","timezone":"UTC"{{more}}}""";

    private async Task RefusedUnchangedAsync(string queue, string rpc, string body)
    {
        var before = await server.SnapshotAsync(queue);
        await server.RefusedAsync(rpc, body);
        (await server.SnapshotAsync(queue)).ShouldBe(before);
    }

    /// <summary>An invalid entry between two valid ones rejects them all.</summary>
    private Task RefusedEntryAsync(string queue, string entry) =>
        RefusedUnchangedAsync(queue, "Enqueue",
            $$"""{"queue_name":"{{queue}}","entries":[{"payload":"right"},{{entry}},{"payload":"right"}]}""");

    /// <summary>Settings that neither make a queue nor change one.</summary>
    private async Task RefusedSettingsAsync(string settings, int keepalive = 5)
    {
        var name = server.NewName();
        var more = settings.Length > 0 ? "," + settings : "";
        await server.RefusedAsync("CreateQueue", $$"""{"name":"{{name}}","keepalive_timeout_in_seconds":{{keepalive}}{{more}}}""");
        await server.RefusedAsync("GetQueue", $$"""{"queue_name":"{{name}}"}""", 404, "NOT_FOUND");
        var queue = await server.QueueAsync();
        await RefusedUnchangedAsync(queue, "UpdateQueue",
            $$"""{"queue_name":"{{queue}}","keepalive_timeout_in_seconds":{{keepalive}}{{more}}}""");
    }
}
