using Shouldly;
using Xunit;
using static TaskQueue.Tests.EndToEnd.MoabJsonReading;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Forms of requests, and bodies that are not requests.</summary>
public abstract partial class MoabApiTests
{
    [Fact]
    public async Task Requests_may_be_written_as_protojson_or_as_the_samples_do()
    {
        var name = server.NewName();
        var made = await server.OkAsync("CreateQueue", $$$"""
            // a commented sample
            {"name": "{{{name}}}", "keepaliveTimeoutInSeconds": "30", "expiresInSeconds": "60",
             "dead_tasks_set_config": {"x": [1.5]}, /* unknown */
             "dequeuingSettings": {"maxInflightTasks": "3",
              "rateLimiting": {"maxTokens": "5", "interval": 1, "intervalUnit": "INTERVAL_UNIT_MINUTES"} } }
            """);

        var queue = made.GetProperty("queue");
        queue.Long("keepalive_timeout_in_seconds").ShouldBe(30);
        queue.Long("expires_in_seconds").ShouldBe(60);
        queue.GetProperty("dequeuing_settings").GetRawText().ShouldBe(
            """{"max_in_progress_tasks":3,"rate_limiting":{"max_tokens":5,"interval":1,"interval_unit":"MINUTES"}"""
            + ""","dequeuing_paused":false}""");
        var at = await server.NowAsync(name) + (3600 * Second) + 1;
        var task = (await server.OkAsync("Enqueue",
            $$"""{"queueName":"{{name}}","entries":[{"scheduledAt":"{{at}}","threadId":"T","overwriteOnDuplicate":[]}]}"""))
            .GetProperty("tasks")[0];
        task.Long("scheduled_at").ShouldBe(at / 1000 * 1000);
        task.Text("thread_id").ShouldBe("T");
    }

    [Fact]
    public async Task The_gRPC_path_behaves_the_same()
    {
        const string Path = "/com.evrblk.moab.preview.MoabPreviewApi/";
        var name = server.NewName();

        var made = await server.Http.PostAsync(Path + "CreateQueue", $$"""{"name":"{{name}}","keepalive_timeout_in_seconds":15}""");
        var missing = await server.Http.PostAsync(Path + "GetQueue", """{"queue_name":"nobody"}""");

        made.Status.ShouldBe(200, made.Text);
        (await server.GetQueueAsync(name)).GetProperty("queue").GetRawText().ShouldBe(made.Json.GetProperty("queue").GetRawText());
        missing.Status.ShouldBe(404);
        missing.Json.Text("code").ShouldBe("NOT_FOUND");
        foreach (var path in new[] { Path, "/moab/" })
        {
            await FaultAsync(HttpMethod.Post, path + "Nothing", 501, "UNIMPLEMENTED");
            await FaultAsync(HttpMethod.Put, path + "GetQueue", 405, "UNIMPLEMENTED");
            await FaultAsync(HttpMethod.Delete, path + "Nothing", 405, "UNIMPLEMENTED");
        }

        async Task FaultAsync(HttpMethod method, string path, int status, string code)
        {
            var reply = await server.Http.SendAsync(method, path, "{}");
            reply.Status.ShouldBe(status, path);
            reply.Json.Text("code").ShouldBe(code);
        }
    }

    [Fact]
    public async Task A_body_that_is_not_a_request_is_refused()
    {
        foreach (var body in new[] { "{", "[]", "1", "null", "{} {}", """{"queue_name":"\ud800"}""", """{"queue_name":7}""", "" })
            await server.RefusedAsync("GetQueue", body);
        var reply = await server.Http.PostAsync("/moab/GetQueue", new byte[] { (byte)'"', 0xFF, (byte)'"' });
        reply.Status.ShouldBe(400);
        reply.Json.Text("code").ShouldBe("INVALID_ARGUMENT");
        (await server.Http.PostAsync("/moab/Enqueue", new string(' ', 6_000_000))).Json.Text("code").ShouldBe("INVALID_ARGUMENT");
    }

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
