using Shouldly;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What every RPC does with a request.</summary>
public abstract partial class MoabApiTests
{
    [Fact]
    public async Task Every_RPC_answers_an_unknown_queue_with_404()
    {
        const string Id = "tsk_BAAAAAAAAAA";
        foreach (var (rpc, more) in new[]
        {
            ("GetQueue", ""), ("DeleteQueue", ""), ("PurgeQueue", ""), ("UpdateQueue", ""","keepalive_timeout_in_seconds":5"""),
            ("Enqueue", ""","entries":[{}]"""), ("Dequeue", ""),
            ("ReportStatus", $$""","entries":[{"task_id":"{{Id}}","attempt":1,"status":"FAILED"}]"""),
            ("GetTask", $$""","task_id":"{{Id}}" """), ("ListTasks", ""),
            ("DeleteTasks", $$""","task_ids":["{{Id}}"]"""), ("RestartTasks", $$""","task_ids":["{{Id}}"]"""),
            ("CreateSchedule", ""","name":"s","cron":"* * * * *","timezone":"UTC" """), ("GetSchedule", ""","schedule_name":"s" """),
            ("UpdateSchedule", ""","schedule_name":"s","cron":"* * * * *","timezone":"UTC" """),
            ("DeleteSchedule", ""","schedule_name":"s" """), ("ListSchedules", ""),
        })
        {
            var fault = await server.RefusedAsync(rpc, $$"""{"queue_name":"nobody"{{more}}}""", 404, "NOT_FOUND");
            fault.GetProperty("details").Text("queue_name").ShouldBe("nobody");
        }
    }

    [Fact]
    public async Task Bytes_round_trip()
    {
        var queue = await server.QueueAsync();
        const string Bytes = "AP/+gA==", Text = "eyJhIjoi4oKsIn0="; // {"a":"€"}

        var tasks = await server.EnqueueAsync(queue, $$"""{"payload_base64":"{{Bytes}}"}""", $$"""{"payload_base64":"{{Text}}"}""",
            """{"payload":"a\u0000b"}""");

        foreach (var read in new[] { tasks, await server.ListAsync(queue), await server.DequeueAsync(queue),
            [await server.TaskAsync(queue, tasks[0].Text("id")!)] })
        {
            read[0].Text("payload").ShouldBe("");
            read[0].Text("payload_base64").ShouldBe(Bytes);
            if (read.Count == 1)
                continue;
            read[1].Text("payload").ShouldBe("""{"a":"€"}""");
            read[2].Text("payload").ShouldBe("a\0b");
            read.Skip(1).ShouldAllBe(t => !t.Names().Contains("payload_base64"));
        }

        foreach (var wrong in new[]
        {
            """{"payload_base64":"*"}""", """{"payload_base64":"AA=="},{"payload":"x","payload_base64":"AA=="}""",
        })
            await RefusedEntryAsync(queue, wrong);
    }
}
