using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.EndToEnd.MoabJsonReading;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The acceptance checks of the Moab API, by their numbers (moab.md 10).</summary>
public abstract partial class MoabApiTests(MoabServer server)
{
    private const string Succeeded = "STATUS_SUCCEEDED", InProgress = "STATUS_IN_PROGRESS", Failed = "STATUS_FAILED";

    /// <summary>A lease for dequeues whose tasks must not expire before the test reports on them, even on a slow machine.</summary>
    private const string Long = ""","keepalive_timeout_in_seconds":60""";

    private const string DeadLetters = ""","dead_letter_queue_config":{"enable":true}""";

    public sealed class OnSqlite(MoabOnSqlite server) : MoabApiTests(server), IClassFixture<MoabOnSqlite>;

    public sealed class OnPostgresAndRabbitMq(MoabOnPostgres server) : MoabApiTests(server), IClassFixture<MoabOnPostgres>;

    public sealed class OverGrpcOnSqlite(MoabOnSqliteOverGrpc server) : MoabApiTests(server), IClassFixture<MoabOnSqliteOverGrpc>;

    public sealed class OverGrpcOnPostgresAndRabbitMq(MoabOnPostgresOverGrpc server)
        : MoabApiTests(server), IClassFixture<MoabOnPostgresOverGrpc>;

    [Fact]
    public async Task Check_01_create_a_queue()
    {
        var name = server.NewName();
        var body = $$"""{"name":"{{name}}","keepalive_timeout_in_seconds":15}""";

        var queue = (await server.OkAsync("CreateQueue", body)).GetProperty("queue");

        queue.Text("name").ShouldBe(name);
        queue.Text("description").ShouldBe("");
        queue.Whole("version").ShouldBe(1);
        queue.Long("expires_in_seconds").ShouldBe(1209600);
        queue.Long("keepalive_timeout_in_seconds").ShouldBe(15);
        queue.Long("created_at").ShouldBe(queue.Long("updated_at"));
        queue.Long("created_at").ShouldBeAbout(await server.NowAsync(name), 10);
        var taken = await server.RefusedAsync("CreateQueue", body, 409, "ALREADY_EXISTS");
        taken.GetProperty("details").Text("queue_name").ShouldBe(name);
    }

    [Fact]
    public async Task Check_02_wrong_queues_are_refused()
    {
        foreach (var body in new[]
        {
            """{"name":"bad name!","keepalive_timeout_in_seconds":15}""",
            """{"name":"A","keepalive_timeout_in_seconds":4}""",
            """{"name":"A","keepalive_timeout_in_seconds":61}""",
            """{"name":"A\n","keepalive_timeout_in_seconds":15}""",
            $$"""{"name":"{{new string('A', 129)}}","keepalive_timeout_in_seconds":15}""",
        })
            await server.RefusedAsync("CreateQueue", body);

        (await server.OkAsync("ListQueues", "{}")).GetProperty("queues").EnumerateArray()
            .ShouldNotContain(q => q.Text("name")!.StartsWith('A'));
    }

    [Fact]
    public async Task Check_03_and_04_the_request_of_the_documents_and_its_duplicates()
    {
        await server.OkAsync("CreateQueue", """{"name":"MyQueue1","keepalive_timeout_in_seconds":15}""");

        var task = MoabServer.Tasks(await server.OkAsync("Enqueue", Sample)).Single();

        task.Text("id")!.ShouldMatch("^tsk_[0-9a-zA-Z]+$");
        task.Text("queue_name").ShouldBe("MyQueue1");
        task.Text("payload").ShouldBe("""{"user_id": 123, "event_type": "updated"}""");
        task.Text("dedupe_key").ShouldBe("unique_key_123");
        task.Long("scheduled_at").ShouldBeGreaterThanOrEqualTo(task.Long("created_at"));
        task.Names().ShouldBe(
            ["id", "queue_name", "payload", "created_at", "scheduled_at", "expires_at", "dedupe_key", "attempts", "thread_id", "state",
                "visible_at"]);

        var again = await server.OkAsync("Enqueue", Sample);
        var changed = MoabServer.Tasks(await server.OkAsync("Enqueue",
            """{"queue_name":"MyQueue1","entries":"""
            + """[{"payload":"new","dedupe_key":"unique_key_123","overwrite_on_duplicate":["PAYLOAD"]}]}""")).Single();

        again.GetProperty("tasks").GetArrayLength().ShouldBe(0);
        again.Long("now").ShouldBeGreaterThan(0);
        changed.Text("id").ShouldBe(task.Text("id"));
        changed.Text("payload").ShouldBe("new");
        changed.Long("scheduled_at").ShouldBe(task.Long("scheduled_at"));
        (await server.TaskAsync("MyQueue1", task.Text("id")!)).Text("payload").ShouldBe("new");
    }

    [Fact]
    public async Task Check_05_wrong_batches_are_refused()
    {
        var queue = await server.QueueAsync();

        foreach (var entries in new[]
        {
            """[{"payload":"x","overwrite_on_duplicate":["PAYLOAD"]}]""",
            "[]",
            $"[{string.Join(',', Enumerable.Repeat("{}", 11))}]",
            $$"""[{"payload":"{{new string('x', 65_537)}}"}]""",
        })
            await server.RefusedAsync("Enqueue", $$"""{"queue_name":"{{queue}}","entries":{{entries}}}""");

        (await server.ListAsync(queue)).ShouldBeEmpty();
        var payload = new string('x', 65_536);
        (await server.EnqueueAsync(queue, $$"""{"payload":"{{payload}}"}""")).Single().Text("payload").ShouldBe(payload);
        var missing = await server.RefusedAsync("Enqueue", """{"queue_name":"nobody","entries":[{}]}""", 404, "NOT_FOUND");
        missing.GetProperty("details").Text("queue_name").ShouldBe("nobody");
    }

    [Fact]
    public async Task Check_06_scheduled_times()
    {
        var queue = await server.QueueAsync();
        var now = await server.NowAsync(queue);

        (await server.EnqueueAsync(queue, """{"payload":"past","scheduled_at":1}""")).Single().Long("scheduled_at").ShouldBeAbout(now, 10);
        var later = now + (3600 * Second);
        (await server.EnqueueAsync(queue,
            $$"""{"payload":"later","scheduled_at":{{later}}}""")).Single().Long("scheduled_at").ShouldBe(later / 1000 * 1000);
        await server.RefusedAsync("Enqueue",
            $$"""{"queue_name":"{{queue}}","entries":[{"scheduled_at":{{now + (15 * 86_400 * Second)}}}]}""");
        await server.RefusedAsync("Enqueue", $$"""{"queue_name":"{{queue}}","entries":[{"scheduled_at":-1}]}""");

        (await server.DequeueAsync(queue)).Payloads().ShouldBe(["past"]);
        (await server.DequeueAsync(queue)).ShouldBeEmpty();
        (await server.ListAsync(queue, ""","state":"ENQUEUED" """)).Payloads().ShouldBe(["later"]);
    }

    [Fact]
    public async Task Check_07_expiry_counts_from_the_scheduled_time_and_is_clamped()
    {
        var queue = await server.QueueAsync(""","expires_in_seconds":60""");
        var at = await server.NowAsync(queue) + (30 * Second);

        var tasks = await server.EnqueueAsync(queue, $$"""{"scheduled_at":{{at}}}""",
            $$"""{"scheduled_at":{{at}},"expires_at":{{at + (1_000_000 * Second)}}}""",
            $$"""{"scheduled_at":{{at}},"expires_at":{{at + (7 * Second)}}}""");

        tasks[0].Long("expires_at").ShouldBeAbout(at + (60 * Second));
        tasks[1].Long("expires_at").ShouldBe(tasks[0].Long("expires_at"));
        tasks[2].Long("expires_at").ShouldBe((at + (7 * Second)) / 1000 * 1000);
    }

    [Fact]
    public async Task Check_08_dequeue_in_order()
    {
        var queue = await server.QueueAsync();
        var ids = new List<string>();
        foreach (var payload in "abc")
            ids.Add(await server.EnqueueOneAsync(queue, $$"""{"payload":"{{payload}}"}"""));

        var first = MoabServer.Tasks(await server.OkAsync("Dequeue", $$"""{"queue_name":"{{queue}}"}""")).Single();
        var rest = await server.DequeueAsync(queue, 10);

        first.Text("payload").ShouldBe("a");
        first.Text("id").ShouldBe(ids[0]);
        first.Whole("attempts").ShouldBe(1);
        first.Text("state").ShouldBe("TASK_STATE_IN_PROGRESS");
        first.Long("visible_at").ShouldBeAbout(await server.NowAsync(queue) + (5 * Second), 4);
        rest.Payloads().ShouldBe(["b", "c"]);
        await server.RefusedAsync("Dequeue", $$"""{"queue_name":"{{queue}}","batch_size":11}""");
    }

    [Fact]
    public async Task Check_09_success_deletes()
    {
        var queue = await server.QueueAsync();
        var id = await server.EnqueueOneAsync(queue);
        await server.DequeueAsync(queue, 10, Long);

        (await server.ReportAsync(queue, id, 1, Succeeded)).ShouldBe("RESULT_OK");

        await server.ShouldBeGoneAsync(queue, id);
        (await server.ReportAsync(queue, id, 1, Succeeded)).ShouldBe("RESULT_NOT_FOUND");
        (await server.StatsAsync(queue)).Long("processed_tasks_count").ShouldBe(1);
    }

    [Fact]
    public async Task Check_10_a_stale_attempt_is_refused()
    {
        var queue = await server.QueueAsync(""","retry_strategy":{"retry_intervals_in_seconds":[0]}""");
        var id = await server.EnqueueOneAsync(queue);
        (await server.DequeueAsync(queue)).Single().Whole("attempts").ShouldBe(1);

        var again = (await server.DequeueSoonAsync(queue, 1, Long)).Single(); // once the lease has expired

        again.Text("id").ShouldBe(id);
        again.Whole("attempts").ShouldBe(2);
        (await server.ReportAsync(queue, id, 1, Succeeded)).ShouldBe("RESULT_STALE_ATTEMPT");
        (await server.TaskAsync(queue, id)).Text("state").ShouldBe("TASK_STATE_IN_PROGRESS");
        (await server.ReportAsync(queue, id, 2, Succeeded)).ShouldBe("RESULT_OK");
    }

    [Fact]
    public async Task Check_11_heartbeats_keep_a_lease()
    {
        var queue = await server.QueueAsync(""","retry_strategy":{"retry_intervals_in_seconds":[0]}""");
        var id = await server.EnqueueOneAsync(queue, """{"keepalive_timeout_in_seconds":10}""");
        var visibleAt = (await server.DequeueAsync(queue)).Single().Long("visible_at");

        // Continues past the first lease, with a heartbeat whenever less than eight seconds of it are left.
        await Eventually.UntilAsync(
            async () =>
            {
                var task = await server.TaskAsync(queue, id);
                var now = await server.NowAsync(queue);
                if (task.Long("visible_at") - now < 8 * Second)
                    (await server.ReportAsync(queue, id, 1, InProgress)).ShouldBe("RESULT_OK");
                (await server.DequeueAsync(queue)).ShouldBeEmpty();
                return now > visibleAt + Second;
            },
            TestHttp.Patience, "the first lease is over");

        (await server.TaskAsync(queue, id)).Whole("attempts").ShouldBe(1);
        (await server.DequeueSoonAsync(queue)).Single().Whole("attempts").ShouldBe(2);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Check_12_retries_then_the_end(bool deadLetters)
    {
        var queue = await server.QueueAsync(
            ""","retry_strategy":{"retry_intervals_in_seconds":[1,2]}"""
            + (deadLetters ? ""","dead_letter_queue_config":{"enable":true,"retention_period_in_seconds":600}""" : ""));
        var id = await server.EnqueueOneAsync(queue);

        for (var attempt = 1; attempt <= 2; attempt++)
        {
            (await server.DequeueSoonAsync(queue, 1, Long)).Single().Whole("attempts").ShouldBe(attempt);
            var before = await server.NowAsync(queue);
            (await server.ReportAsync(queue, id, attempt, Failed)).ShouldBe("RESULT_OK");
            var waiting = await server.TaskAsync(queue, id);
            waiting.Text("state").ShouldBe("TASK_STATE_ENQUEUED");
            waiting.Long("scheduled_at").ShouldBeInRange(before + (attempt * Second), await server.NowAsync(queue) + (attempt * Second));
            (await server.ReportAsync(queue, id, attempt, Failed)).ShouldBe("RESULT_NOT_IN_PROGRESS");
        }

        (await server.DequeueSoonAsync(queue, 1, Long)).Single().Whole("attempts").ShouldBe(3);
        (await server.ReportAsync(queue, id, 3, Failed)).ShouldBe("RESULT_OK");

        if (!deadLetters)
        {
            await server.ShouldBeGoneAsync(queue, id);
            return;
        }

        var dead = await server.TaskAsync(queue, id);
        dead.Text("state").ShouldBe("TASK_STATE_DEAD");
        dead.Whole("attempts").ShouldBe(3);
        dead.Long("visible_at").ShouldBe(0);
        dead.Long("expires_at").ShouldBeAbout(await server.NowAsync(queue) + (600 * Second), 5);
    }

    [Fact]
    public async Task Check_13_an_empty_strategy_means_no_retry_and_a_missing_one_the_queues()
    {
        var queue = await server.QueueAsync(""","retry_strategy":{"retry_intervals_in_seconds":[1]}""");
        var tasks = await server.EnqueueAsync(queue, """{"retry_strategy":{}}""", "{}", """{"retry_strategy":null}""");
        await server.DequeueAsync(queue, 10, Long);

        foreach (var task in tasks)
            (await server.ReportAsync(queue, task.Text("id")!, 1, Failed)).ShouldBe("RESULT_OK");

        await server.ShouldBeGoneAsync(queue, tasks[0].Text("id")!);
        (await server.TaskAsync(queue, tasks[1].Text("id")!)).Text("state").ShouldBe("TASK_STATE_ENQUEUED");
        (await server.TaskAsync(queue, tasks[2].Text("id")!)).Text("state").ShouldBe("TASK_STATE_ENQUEUED");
    }

    /// <summary>The request of the documents, verbatim.</summary>
    private const string Sample =
        """
        {
        "entries": [
        {
        "payload": "{\"user_id\": 123, \"event_type\": \"updated\"}",
        "scheduled_at": 0,
        "expires_at": 0,
        "dedupe_key": "unique_key_123",
        "keepalive_timeout_in_seconds": 60,
        "retry_strategy": {
        },
        "overwrite_on_duplicate": []
        }
        ],
        "queue_name": "MyQueue1"
        }
        """;
}
