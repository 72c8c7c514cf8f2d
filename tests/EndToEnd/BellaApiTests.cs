using System.Net;
using System.Text.Json;
using Shouldly;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The acceptance checks of the bella API, by their numbers.</summary>
public abstract partial class BellaApiTests(BellaServer server)
{
    private const string IdPattern = "^TASK-[0-9]+-[0-9]+-[BSCP]-[0-9]{12}-[0-9]{4}-[0-9]{6}$";
    private const long FirstMs = 1_000_000_000_000, LastMs = 9_999_999_999_999; // 13 digits
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(15);

    public sealed class OnSqlite(BellaOnSqlite server) : BellaApiTests(server), IClassFixture<BellaOnSqlite>;

    public sealed class OnPostgresAndRabbitMq(BellaOnPostgres server) : BellaApiTests(server), IClassFixture<BellaOnPostgres>;

    [Fact]
    public async Task Check02_register_and_metadata()
    {
        var name = server.NewName();

        var registered = await server.PostAsync("register", $$"""{"queue":"{{name}}","endpoint":"/v1/chat/completions"}""");
        var metadata = await server.GetAsync($"{name}/metadata");

        registered.Status.ShouldBe(HttpStatusCode.OK);
        registered.Body.ShouldBe($"\"{name}\"");
        registered.Response.Content.Headers.ContentType!.ToString().ShouldBe("application/json; charset=utf-8");
        registered.Response.Headers.CacheControl!.ToString().ShouldBe("no-cache");
        metadata.Ok();
        Keys(metadata.Json).ShouldBe("endpoint queue");
        metadata.Json.GetProperty("endpoint").GetString().ShouldBe("/v1/chat/completions");
        metadata.Json.GetProperty("queue").GetString().ShouldBe(name);
    }

    [Fact]
    public async Task Check02_metadata_of_an_unknown_queue_is_404()
    {
        ShouldBeError(await server.GetAsync("nobody-registered-this/metadata"), 404);
        ShouldBeError(await server.GetAsync("bad%20name/metadata"), 404);
        (await server.GetAsync("tasks/metadata")).Ok().GetProperty("queue").GetString().ShouldBe("tasks");
    }

    [Fact]
    public async Task Check03_register_errors()
    {
        var name = await server.RegisterAsync();

        foreach (var body in new[]
        {
            """{"queue":"bad name","endpoint":"/x"}""",
            $$"""{"queue":"{{new string('a', 65)}}","endpoint":"/x"}""",
            """{"queue":"","endpoint":"/x"}""",
            """{"endpoint":"/x"}""",
            """{"queue":"acc-q2"}""",
            """{"queue":"acc-q2","endpoint":"  "}""",
            """{"queue":"acc-q2","endpoint":"a\u0000b"}""",
            $$"""{"queue":"acc-q2","endpoint":"{{new string('e', 257)}}"}""",
            $$"""{"queue":"{{name}}","endpoint":"/x"}""",
            """{"queue":"tasks","endpoint":"/x"}""",
        })
            ShouldBeError(await server.PostAsync("register", body), 400);

        ShouldBeError(await server.GetAsync("acc-q2/metadata"), 404);
        (await server.GetAsync($"{name}/metadata")).Ok().GetProperty("endpoint").GetString().ShouldBe("/v1/chat/completions");
        await server.RegisterAsync(new string('a', 64));
    }

    [Fact]
    public async Task Check04_put_callback()
    {
        var name = await server.RegisterAsync();

        var put = await server.PostAsync(
            "put", $$"""{"queue":"{{name}}","endpoint":"/v1/chat/completions","level":1,"data":{"k":"v"},"callback_url":"http://cb/x"}""");

        var answer = put.Ok();
        Keys(answer).ShouldBe("code data timestamp");
        answer.GetProperty("code").GetInt32().ShouldBe(200);
        answer.GetProperty("timestamp").GetInt64().ShouldBeInRange(FirstMs, LastMs);
        answer.GetProperty("data").GetString()!.ShouldMatch(IdPattern);
        answer.GetProperty("data").GetString()!.ShouldContain("-1-C-");
        put.Response.Headers.CacheControl!.ToString().ShouldBe("no-cache");
    }

    [Fact]
    public async Task Check04_put_errors_accept_nothing()
    {
        var name = await server.RegisterAsync();

        foreach (var body in new[]
        {
            """ "endpoint":"/x" """,
            """ "endpoint":"/x","data":null """,
            """ "endpoint":"/x","data":[1] """,
            """ "endpoint":"/x","data":"{}" """,
            """ "data":{} """,
            """ "endpoint":null,"data":{} """,
            $$""" "endpoint":"{{new string('e', 65)}}","data":{} """,
            """ "endpoint":"a\u0000b","data":{} """,
            """ "endpoint":"/x","data":{},"response_mode":"foo" """,
            """ "endpoint":"/x","data":{},"response_mode":"batch" """,
            """ "endpoint":"/x","data":{},"response_mode":"blocking","level":1 """,
            """ "endpoint":"/x","data":{},"response_mode":"streaming","level":2 """,
            """ "endpoint":"/x","data":{},"level":-1 """,
            """ "endpoint":"/x","data":{},"level":65536 """,
            """ "endpoint":"/x","data":{},"level":"1" """,
            """ "endpoint":"/x","data":{},"timeout":1.5 """,
            $$""" "endpoint":"/x","data":{},"callback_url":"{{new string('u', 257)}}" """,
            """ "endpoint":"/x","data":{},"trace_id":"\ud800" """,
            $$""" "endpoint":"/x","data":{},"trace_id":"{{new string('t', 129)}}" """,
        })
            ShouldBeError(await server.PostAsync("put", $$"""{"queue":"{{name}}",{{body}}}"""), 400);

        ShouldBeError(await server.PostAsync("put", """{"endpoint":"/x","data":{}}"""), 400);
        ShouldBeError(await server.PostAsync("put", """{"queue":"nobody-registered-this","endpoint":"/x","data":{}}"""), 404);
        (await server.TakeAsync($"{name}:0 {name}:1", 10)).GetRawText().ShouldBe("{}");
    }

    [Fact]
    public async Task Check05_take_offline()
    {
        var name = await server.RegisterAsync();
        var id = await server.PutAsync(name, 1, ""","callback_url":"http://cb/x" """);

        var taken = await server.TakeAsync($"{name}:1", 1, ""","strategy":"active_passive","endpoint":"/other" """);

        Keys(taken).ShouldBe($"{name}:1");
        var task = taken.GetProperty($"{name}:1").EnumerateArray().Single();
        var start = task.GetProperty("start_time").GetInt64();
        var expiry = task.GetProperty("expire_time").GetInt64();
        start.ShouldBeInRange(FirstMs, LastMs);
        (expiry - start).ShouldBeInRange(86_398_000, 86_402_000);
        ShouldBeJson(task, $$"""
            {"ak":"ann","endpoint":"/v1/chat/completions","queue":"{{name}}","level":1,"data":{"k":"v"},"status":"waiting",
             "task_id":"{{id}}",
             "batch_id":"","trace_id":"","start_time":{{start}},"running_time":0,"expire_time":{{expiry}},"completed_time":0,
             "callback_url":"http://cb/x","response_mode":"callback"}
            """);
    }

    [Fact]
    public async Task Check05_data_and_trace_pass_through_as_sent()
    {
        const string Data =
            """{"n": null, "list":[null,{"x":null}],"e":1.50e+3,"big":12345678901234567890"""
            + ""","s":"é\u00e9\/\ud83d\ude00 <&> \ud800","z":[]}""";
        var name = await server.RegisterAsync();
        await server.PostAsync("put",
            $$"""{"queue":"{{name}}","endpoint":"","level":2,"data":{{Data}},"trace_id":"BATCH \"trace\"","timeout":0}""");

        var reply = await server.PostAsync("take", $$"""{"queues":["{{name}}:2"],"size":1}""");

        reply.Body.ShouldContain($"\"data\":{Data}");
        var task = reply.Ok().GetProperty($"{name}:2")[0];
        task.GetProperty("trace_id").GetString().ShouldBe("BATCH \"trace\"");
        task.GetProperty("batch_id").GetString().ShouldBe("");
        task.GetProperty("callback_url").GetString().ShouldBe("");
        task.GetProperty("endpoint").GetString().ShouldBe("");
    }

    [Fact]
    public async Task Check05_take_online_has_an_instance_and_no_batch()
    {
        var name = await server.RegisterAsync();
        var plain = (await server.PostAsync("put",
            $$$"""{"queue":"{{{name}}}","endpoint":"/x","data":{}}""")).Ok().GetProperty("data").GetString()!;
        var traced = await server.PutAsync(name, 0, ""","trace_id":"t-1","response_mode":"callback" """);

        var tasks = (await server.TakeAsync($"{name}:0", 2)).GetProperty($"{name}:0");

        plain.ShouldContain("-0-C-");
        Keys(tasks[0]).ShouldBe(
            "ak callback_url completed_time data endpoint expire_time instance_id level queue response_mode running_time start_time "
                + "status task_id");
        tasks[0].GetProperty("task_id").GetString().ShouldBe(plain);
        tasks[0].GetProperty("status").GetString().ShouldBe("waiting");
        tasks[0].GetProperty("callback_url").GetString().ShouldBe("");
        tasks[0].GetProperty("instance_id").GetString()!.ShouldStartWith("127.0.0.1:");
        tasks[1].GetProperty("task_id").GetString().ShouldBe(traced);
        tasks[1].GetProperty("trace_id").GetString().ShouldBe("t-1");
    }

    [Fact]
    public async Task Check06_empty_take()
    {
        var name = await server.RegisterAsync();
        var full = await server.RegisterAsync();
        await server.PutAsync(full, 0);

        (await server.TakeAsync($"{name}:0 {name}:1", 5)).GetRawText().ShouldBe("{}");
        (await server.TakeAsync($"{full}:0", 0)).GetRawText().ShouldBe("{}");
        (await server.TakeAsync($"{full}:0", -1)).GetRawText().ShouldBe("{}");
        Keys(await server.TakeAsync($"{name}:0 {full}:0 {full}:1", 5)).ShouldBe($"{full}:0");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Check08_lifecycle(int tier)
    {
        var name = await server.RegisterAsync();
        var id = await server.PutAsync(name, tier);
        (await server.GetAsync(id)).Ok().GetProperty("status").GetString().ShouldBe("waiting");
        (await server.TakeOneAsync($"{name}:{tier}")).ShouldBe(id);
        var queued = (await server.GetAsync(id)).Ok();
        var result = $$$"""{"status_code":200,"request_id":"{{{id}}}","body":{"a":1, "n":null}}""";

        var completed = await server.CompleteAsync(id, result);
        var done = await server.GetAsync(id);

        queued.GetProperty("status").GetString().ShouldBe("queued");
        queued.TryGetProperty("result", out _).ShouldBeFalse();
        queued.GetProperty("completed_time").GetInt64().ShouldBe(0);
        completed.Status.ShouldBe(HttpStatusCode.OK);
        completed.Body.ShouldBe($"\"{id}\"");
        var task = done.Ok();
        done.Body.ShouldContain($"\"result\":{result}");
        task.GetProperty("status").GetString().ShouldBe("succeeded");
        task.GetProperty("completed_time").GetInt64().ShouldBeInRange(task.GetProperty("start_time").GetInt64(), LastMs);
        task.GetProperty("running_time").GetInt64()
            .ShouldBe(task.GetProperty("completed_time").GetInt64() - task.GetProperty("start_time").GetInt64());
        task.TryGetProperty("batch_id", out _).ShouldBe(tier > 0);
    }

    [Fact]
    public async Task Check09_the_first_completion_counts()
    {
        var name = await server.RegisterAsync();
        await server.PutAsync(name);
        var id = await server.TakeOneAsync($"{name}:1");
        (await server.CompleteAsync(id, """{"body":{"a":1}}""")).Ok();

        var again = await server.CompleteAsync(id, """{"body":{"a":2}}""");

        again.Status.ShouldBe(HttpStatusCode.OK);
        again.Body.ShouldBe($"\"{id}\"");
        (await server.GetAsync(id)).Ok().GetProperty("result").GetRawText().ShouldBe("""{"body":{"a":1}}""");
    }

    [Fact]
    public async Task Check11_fifo_takes_the_oldest_of_all_queues()
    {
        var qa = await server.RegisterAsync();
        var qb = await server.RegisterAsync();
        var a1 = await server.PutAsync(qa, 0);
        var b1 = await server.PutAsync(qb, 0);
        var a2 = await server.PutAsync(qa, 0);
        var a3 = await server.PutAsync(qa, 0);
        var b2 = await server.PutAsync(qb, 0);

        var first = await server.TakeAsync($"{qb}:0 {qa}:0", 2);
        var second = await server.TakeAsync($"{qb}:0 {qa}:0", 2);
        var rest = await server.TakeAsync($"{qb}:0 {qa}:0", 2);

        ShouldBeTasks(first, ($"{qa}:0", [a1]), ($"{qb}:0", [b1]));
        ShouldBeTasks(second, ($"{qa}:0", [a2, a3]));
        ShouldBeTasks(rest, ($"{qb}:0", [b2]));
    }

    private static string Keys(JsonElement value) =>
        string.Join(' ', value.EnumerateObject().Select(p => p.Name).Order(StringComparer.Ordinal));

    private static void ShouldBeJson(JsonElement actual, string expected) =>
        JsonElement.DeepEquals(actual, JsonDocument.Parse(expected).RootElement).ShouldBeTrue($"{actual}\nis not\n{expected}");

    private static void ShouldBeTasks(JsonElement taken, params (string Queue, IReadOnlyList<string> Ids)[] expected)
    {
        Keys(taken).ShouldBe(string.Join(' ', expected.Select(e => e.Queue).Order(StringComparer.Ordinal)));
        foreach (var (queue, ids) in expected)
            taken.GetProperty(queue).EnumerateArray().Select(t => t.GetProperty("task_id").GetString()).ShouldBe(ids);
    }

    private static void ShouldBeError(BellaReply reply, int status)
    {
        ((int)reply.Status).ShouldBe(status, reply.Body);
        Keys(reply.Json).ShouldBe("code error message timestamp");
        reply.Json.GetProperty("code").GetInt32().ShouldBe(status);
        reply.Json.GetProperty("timestamp").GetInt64().ShouldBeInRange(FirstMs, LastMs);
        var message = reply.Json.GetProperty("message").GetString();
        message.ShouldNotBeNullOrWhiteSpace();
        var error = reply.Json.GetProperty("error");
        Keys(error).ShouldBe("code message param type");
        error.GetProperty("message").GetString().ShouldBe(message);
        error.GetProperty("type").GetString().ShouldBe("invalid_request_error");
        error.GetProperty("param").ValueKind.ShouldBe(JsonValueKind.Null);
        error.GetProperty("code").ValueKind.ShouldBe(JsonValueKind.Null);
        reply.Response.Headers.CacheControl!.ToString().ShouldBe("no-cache");
    }
}
