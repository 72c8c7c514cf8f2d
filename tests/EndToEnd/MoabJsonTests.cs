using Shouldly;
using Xunit;
using static TaskQueue.Tests.EndToEnd.MoabJsonReading;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Forms of requests in JSON, and bodies that are not requests.</summary>
public abstract class MoabJsonTests(MoabServer server)
{
    public sealed class OnSqlite(MoabOnSqlite server) : MoabJsonTests(server), IClassFixture<MoabOnSqlite>;

    public sealed class OnPostgresAndRabbitMq(MoabOnPostgres server) : MoabJsonTests(server), IClassFixture<MoabOnPostgres>;

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
}
