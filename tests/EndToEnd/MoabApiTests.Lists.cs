using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Lists and batches of ids, with their limits.</summary>
public abstract partial class MoabApiTests
{
    [Fact]
    public async Task Limits_of_batches_of_ids()
    {
        var queue = await server.QueueAsync();
        var task = await server.EnqueueOneAsync(queue);
        string[] ids =
            [task, .. Enumerable.Range(1, 50).Select(i => Adapters.Moab.MoabTaskId.Format(Adapters.Moab.MoabTaskId.ToGuid((ulong)i)))];
        foreach (var wrong in new string[][] { [], ids, [task, task], ["", task], ["tsk_!"], [task[..^1]] })
        {
            var list = string.Join(',', wrong.Select(id => $"\"{id}\""));
            await RefusedUnchangedAsync(queue, "DeleteTasks", $$"""{"queue_name":"{{queue}}","task_ids":[{{list}}]}""");
            await RefusedUnchangedAsync(queue, "RestartTasks", $$"""{"queue_name":"{{queue}}","task_ids":[{{list}}]}""");
            var entries = string.Join(',', wrong.Select(id => $$"""{"task_id":"{{id}}"}"""));
            await RefusedUnchangedAsync(queue, "RestartTasks", $$"""{"queue_name":"{{queue}}","entries":[{{entries}}]}""");
        }

        await RefusedUnchangedAsync(queue, "DeleteTasks", $$"""{"queue_name":"{{queue}}"}""");
        await RefusedUnchangedAsync(queue, "RestartTasks",
            $$"""{"queue_name":"{{queue}}","task_ids":["{{task}}"],"entries":[{"task_id":"{{ids[1]}}"}]}""");
        await RefusedUnchangedAsync(queue, "DeleteTasks", $$"""{"task_ids":["{{task}}"]}""");
        foreach (var count in new[] { 1, 49, 50 })
        {
            var entries = string.Join(',', ids[1..(count + 1)].Select(id => $$"""{"task_id":"{{id}}"}"""));
            var results = (await server.OkAsync("RestartTasks",
                $$"""{"queue_name":"{{queue}}","entries":[{{entries}}]}""")).GetProperty("entries").EnumerateArray().ToList();
            results.Select(r => r.Text("task_id")).ShouldBe(ids[1..(count + 1)]);
            results.ShouldAllBe(r => r.Text("result") == "RESULT_NOT_FOUND");
            var list = string.Join(',', ids[..count].Select(id => $"\"{id}\""));
            (await server.OkAsync("DeleteTasks", $$"""{"queue_name":"{{queue}}","task_ids":[{{list}}]}""")).GetRawText().ShouldBe("{}");
            (await server.ListAsync(queue)).ShouldBeEmpty();
        }
    }

    [Fact]
    public async Task Limits_of_reports()
    {
        var queue = await server.QueueAsync();
        var id = await server.EnqueueOneAsync(queue, """{"keepalive_timeout_in_seconds":60}""");
        (await server.DequeueAsync(queue)).Count.ShouldBe(1);
        var right = Entry();
        foreach (var entries in new[]
        {
            "", string.Join(',', Enumerable.Repeat(right, 51)), right + "," + Entry(attempt: "0"), right + "," + Entry(attempt: "-1"),
            right + "," + Entry(status: "DONE"),
            right + "," + Entry(status: ""), right + "," + Entry(attempt: "null"),
            right + """,{"task_id":"x","attempt":1,"status":"FAILED"}""", right + ",null", "{}",
        })
            await RefusedUnchangedAsync(queue, "ReportStatus", $$"""{"queue_name":"{{queue}}","entries":[{{entries}}]}""");
        await server.RefusedAsync("ReportStatus", $$"""{"queue_name":"nobody","entries":[{{right}}]}""", 404, "NOT_FOUND");

        var fewer = await server.OkAsync("ReportStatus",
            $$"""{"queue_name":"{{queue}}","entries":[{{string.Join(',', Enumerable.Repeat(right, 49))}}]}""");
        fewer.GetProperty("entries").EnumerateArray().Select(e => e.Text("result")).ShouldBe(Enumerable.Repeat("RESULT_OK", 49));

        // The same task any number of times: heartbeats, and then the first report counts.
        var heartbeats = string.Join(',', Enumerable.Repeat(right, 48));
        var many = await server.OkAsync("ReportStatus",
            $$"""{"queue_name":"{{queue}}","entries":[{{heartbeats}},{{Entry(status: "SUCCEEDED")}},{{Entry(status: "FAILED")}}]}""");
        many.GetProperty("entries").EnumerateArray().Select(e => e.Text("result"))
            .ShouldBe([.. Enumerable.Repeat("RESULT_OK", 49), "RESULT_NOT_FOUND"]);

        string Entry(string attempt = "1", string status = "INFLIGHT") =>
            $$"""{"task_id":"{{id}}","attempt":{{attempt}},"status":"{{status}}"}""";
    }

    [Fact]
    public async Task Limits_of_lists()
    {
        var queue = await server.QueueAsync();
        await server.EnqueueOneAsync(queue);
        foreach (var rpc in new[] { "ListQueues", "ListTasks", "ListSchedules" })
        {
            foreach (var limit in new[] { -1, 251 })
                await server.RefusedAsync(rpc, $$"""{"queue_name":"{{queue}}","limit":{{limit}}}""");
            foreach (var token in new[] { "?", "AAA", "AAAA", Text(1024, "A"), Text(1025, "A") })
                await server.RefusedAsync(rpc, $$"""{"queue_name":"{{queue}}","pagination_token":"{{token}}"}""");
            foreach (var limit in new[] { 0, 1, 249, 250 })
                await server.OkAsync(rpc, $$"""{"queue_name":"{{queue}}","limit":{{limit}},"pagination_token":""}""");
        }

        await server.RefusedAsync("ListTasks", $$"""{"queue_name":"{{queue}}","state":"DONE"}""");
        await server.RefusedAsync("ListTasks", """{"queue_name":"nobody"}""", 404, "NOT_FOUND");
        await server.RefusedAsync("ListSchedules", """{"queue_name":"nobody"}""", 404, "NOT_FOUND");
        await server.OkAsync("ListQueues", "");
    }

    [Theory]
    [InlineData("")]
    [InlineData("TASK_STATE_ENQUEUED")]
    [InlineData("TASK_STATE_IN_PROGRESS")]
    [InlineData("TASK_STATE_DEAD")]
    public async Task Pages_of_tasks_can_be_read_forwards_and_backwards(string state)
    {
        var queue = await server.QueueAsync(DeadLetters);
        for (var batch = 0; batch < 3; batch++)
            await server.EnqueueAsync(queue, [.. Enumerable.Range(0, 10).Select(i =>
                $$"""{"payload":"{{batch}}{{i}}","keepalive_timeout_in_seconds":60}""")]);
        if (state is "TASK_STATE_IN_PROGRESS" or "TASK_STATE_DEAD")
        {
            for (var batch = 0; batch < 3; batch++)
            {
                foreach (var task in await server.DequeueAsync(queue))
                {
                    if (state == "TASK_STATE_DEAD")
                        (await server.ReportAsync(queue, task.Text("id")!, 1, Failed)).ShouldBe("RESULT_OK");
                }
            }
        }

        var all = await server.ListAsync(queue, $$""","state":"{{state}}" """);
        all.Payloads().ShouldBe([.. Enumerable.Range(0, 30).Select(i => $"{i:00}")]);
        await WalkAsync("ListTasks", "tasks", "id", 7, $$"""{"queue_name":"{{queue}}","state":"{{state}}" """, [.. all.Ids()]);
    }

    [Fact]
    public async Task Pages_of_queues_and_schedules_can_be_read_forwards_and_backwards()
    {
        var queues = new List<string>();
        for (var i = 0; i < 5; i++)
            queues.Add(await server.QueueAsync());
        foreach (var name in "edcba")
            await server.OkAsync("CreateSchedule", Schedule(queues[0], $"{name}"));

        await WalkAsync("ListSchedules", "schedules", "name", 2, $$"""{"queue_name":"{{queues[0]}}" """, ["a", "b", "c", "d", "e"]);
        var page = await server.OkAsync("ListQueues", """{"limit":3}""");
        var seen = Names(page);
        seen.Count.ShouldBe(3);
        page.Text("previous_pagination_token").ShouldBe("");
        while (page.Text("next_pagination_token") is { Length: > 0 } next)
        {
            var first = Names(page);
            page = await server.OkAsync("ListQueues", $$"""{"limit":3,"pagination_token":"{{next}}"}""");
            seen.AddRange(Names(page));
            var back = Names(await server.OkAsync("ListQueues",
                $$"""{"limit":3,"pagination_token":"{{page.Text("previous_pagination_token")}}"}"""));
            back[^1].ShouldBe(seen[^(Names(page).Count + 1)]);
        }

        // Other tests create queues meanwhile, so only these are certain to exist.
        seen.ShouldBe(seen.Distinct().Order(StringComparer.Ordinal));
        seen.ShouldContain("tasks");
        queues.ShouldBeSubsetOf(seen);

        static List<string> Names(JsonElement answer) => [.. answer.GetProperty("queues").EnumerateArray().Select(q => q.Text("name")!)];
    }

    [Fact]
    public async Task Check_14_dead_letters_are_capped_and_the_oldest_is_dropped()
    {
        var queue = await server.QueueAsync(""","dead_letter_queue_config":{"enable":true,"max_size":2}""");

        var first = await server.KillAsync(queue);
        var second = await server.KillAsync(queue);
        var third = await server.KillAsync(queue);

        await Eventually.UntilAsync(
            async () => (await server.StatsAsync(queue)).Long("dead_tasks_count") == 2, TestHttp.Patience, "two are dead");
        await server.ShouldBeGoneAsync(queue, first);
        (await server.ListAsync(queue, ""","state":"TASK_STATE_DEAD" """)).Ids().ShouldBe([second, third]);
        (await server.TaskAsync(queue, second)).Text("state").ShouldBe("TASK_STATE_DEAD");
        (await server.TaskAsync(queue, third)).Text("state").ShouldBe("TASK_STATE_DEAD");
    }

    /// <summary>Walks through an unchanging list, page by page to its end and back.</summary>
    private async Task WalkAsync(string rpc, string list, string key, int limit, string question, IReadOnlyList<string?> expected)
    {
        var pages = new List<JsonElement>();
        var token = "";
        do
        {
            pages.Add(await PageAsync(token));
            token = pages[^1].Text("next_pagination_token")!;
        }
        while (token.Length > 0);

        pages.Count.ShouldBe((expected.Count + limit - 1) / limit);
        pages.SelectMany(Keys).ShouldBe(expected);
        pages[0].Text("previous_pagination_token").ShouldBe("");
        for (var page = pages[^1]; pages.Count > 1; page = pages[^1])
        {
            pages.RemoveAt(pages.Count - 1);
            var before = await PageAsync(page.Text("previous_pagination_token")!);
            Keys(before).ShouldBe(Keys(pages[^1]));
            (before.Text("previous_pagination_token") == "").ShouldBe(pages.Count == 1);
            Keys(await PageAsync(before.Text("next_pagination_token")!)).ShouldBe(Keys(page));
        }

        Task<JsonElement> PageAsync(string token) => server.OkAsync(rpc,
            $$"""{{question}},"limit":{{limit}},"pagination_token":"{{token}}"}""");

        List<string?> Keys(JsonElement answer) => [.. answer.GetProperty(list).EnumerateArray().Select(item => item.Text(key))];
    }
}
