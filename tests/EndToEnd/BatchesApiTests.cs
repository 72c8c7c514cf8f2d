using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The acceptance checks of batches. They are created on one server and read on the other, if there is one.</summary>
public abstract partial class BatchesApiTests(BellaServer server)
{
    private const long NotYet = 946_656_000_000;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    public sealed class OnSqlite(BellaOnSqlite server) : BatchesApiTests(server), IClassFixture<BellaOnSqlite>;

    public sealed class OnPostgresAndRabbitMq(BellaOnPostgres server) : BatchesApiTests(server), IClassFixture<BellaOnPostgres>;

    public sealed class OnS3(BellaOnS3 server) : BatchesApiTests(server), IClassFixture<BellaOnS3>;

    [Fact]
    public async Task Check22_batch_happy_path()
    {
        var queue = await server.RegisterAsync();
        var file = await UploadAsync($"{Line("r1")}\n{Line("r2")}");

        var created = (await CreateAsync(file, queue)).Ok();

        var id = created.GetProperty("id").GetString()!;
        id.ShouldMatch(@"^BATCH-\d+-\d+-\d{12}-\d{4}-\d{6}$");
        Keys(created).ShouldBe(
            "cancelled_at cancelling_at completed_at completion_window created_at endpoint error_file_id expired_at failed_at "
                + "finalizing_at id in_progress_at input_file_id object output_file_id request_counts status");
        created.GetProperty("object").GetString().ShouldBe("batch");
        created.GetProperty("status").GetString().ShouldBe("validating");
        created.GetProperty("created_at").GetInt64().ShouldBeInRange(1_000_000_000_000, 9_999_999_999_999);
        (created.GetProperty("expired_at").GetInt64() - created.GetProperty("created_at").GetInt64()).ShouldBe(86_400_000);
        Counts(created).ShouldBe((0, 0, 0));

        var tasks = await TakeAllAsync(queue, 2);
        foreach (var task in tasks)
        {
            task.GetProperty("response_mode").GetString().ShouldBe("batch");
            (task.GetProperty("trace_id").GetString(), task.GetProperty("batch_id").GetString()).ShouldBe((id, id));
            task.GetProperty("callback_url").GetString().ShouldBe("");
            task.GetProperty("data").GetRawText().ShouldBe("""{"model":"m","n":1}""");
            task.GetProperty("ak").GetString().ShouldBe("ann");
            task.GetProperty("task_id").GetString()!.ShouldContain("-1-P-");
        }

        Counts((await GetAsync(id)).Ok()).ShouldBe((2, 0, 0));
        await CompleteAsync(tasks[0], """{"ok":1}""");
        await Eventually.UntilAsync(async () => Counts((await GetAsync(id)).Ok()) == (2, 1, 0), Deadline, "the counts are live");
        await CompleteAsync(tasks[1], """{"ok":2}""");

        var done = await EndAsync(id);
        done.GetProperty("status").GetString().ShouldBe("completed");
        Counts(done).ShouldBe((2, 2, 0));
        done.GetProperty("error_file_id").GetString().ShouldBe("");
        done.GetProperty("failed_at").GetInt64().ShouldBe(NotYet);
        done.GetProperty("completed_at").GetInt64().ShouldBeGreaterThan(NotYet);
        var lines = await LinesAsync(done.GetProperty("output_file_id").GetString()!);
        lines.Select(l => l.GetProperty("custom_id").GetString()).ShouldBe(["r1", "r2"]);
        Json(lines[0]).ShouldBe(Json(
            $$$"""{"id":"{{{Id(tasks[0])}}}","custom_id":"r1","response":"""
            + $$$"""{"status_code":200,"request_id":"{{{Id(tasks[0])}}}","body":{"ok":1}},"error":null}"""));
    }

    [Fact]
    public async Task Check23_batch_bad_line()
    {
        var queue = await server.RegisterAsync();
        var id = await StartAsync(queue, $"{Line("r1")}\n{{oops\n");
        await CompleteAsync((await TakeAllAsync(queue, 1))[0], "{}");

        var done = await EndAsync(id);

        Counts(done).ShouldBe((2, 1, 1));
        var error = (await LinesAsync(done.GetProperty("error_file_id").GetString()!)).ShouldHaveSingleItem();
        (error.GetProperty("id").GetString(), error.GetProperty("customId").GetString(), error.GetProperty("custom_id").ValueKind)
            .ShouldBe(("", "1", JsonValueKind.Null));
        error.GetProperty("error").GetProperty("code").GetString().ShouldBe("parse_error");
        error.GetProperty("response").ValueKind.ShouldBe(JsonValueKind.Null);
    }

    [Theory]
    [InlineData("\"24H\"", "24h", 86_400_000)]
    [InlineData("\"soon\"", "24h", 86_400_000)]
    [InlineData("\"30m\"", "30m", 1_800_000)]
    [InlineData("\"7d\"", "7d", 604_800_000)]
    [InlineData("null", "24h", 86_400_000)]
    public async Task Check23_completion_window(string window, string shown, long milliseconds)
    {
        var queue = await server.RegisterAsync();

        var batch = (await CreateAsync(await UploadAsync(Line("r1")), queue, $$""","completion_window":{{window}}""")).Ok();

        batch.GetProperty("completion_window").GetString().ShouldBe(shown);
        (batch.GetProperty("expired_at").GetInt64() - batch.GetProperty("created_at").GetInt64()).ShouldBe(milliseconds);
    }

    [Fact]
    public async Task Check23_a_cancel_gives_running_items_a_grace_period_and_the_rest_become_errors()
    {
        var queue = await server.RegisterAsync();
        var id = await StartAsync(queue, string.Join('\n', Enumerable.Range(0, 4).Select(n => Line($"r{n}"))));
        var running = await TakeAllAsync(queue, 2);

        var cancelled = await SendAsync(HttpMethod.Post, $"/{id}/cancel");
        ((int)cancelled.Status).ShouldBe(202);
        await CompleteAsync(running[0], """{"late":true}""");

        var done = await EndAsync(id);
        done.GetProperty("status").GetString().ShouldBe("cancelled");
        Counts(done).ShouldBe((4, 1, 3));
        done.GetProperty("cancelled_at").GetInt64().ShouldBeGreaterThan(NotYet);
        (await LinesAsync(done.GetProperty("output_file_id").GetString()!)).ShouldHaveSingleItem().GetProperty("custom_id").GetString()
            .ShouldBe("r0");
        (await LinesAsync(done.GetProperty("error_file_id").GetString()!))
            .Select(l => (l.GetProperty("custom_id").GetString(), l.GetProperty("error").GetProperty("code").GetString()))
            .ShouldBe([("r1", "batch_cancelled"), ("r2", "batch_cancelled"), ("r3", "batch_cancelled")]);
        (await server.TakeAsync($"{queue}:1")).GetRawText().ShouldBe("{}");
        ((int)(await SendAsync(HttpMethod.Post, $"/{id}/cancel")).Status).ShouldBe(202); // no effect
        (await GetAsync(id)).Ok().GetProperty("status").GetString().ShouldBe("cancelled");
    }

    [Fact]
    public async Task Check24_dialect_of_OpenAI()
    {
        var queue = await server.RegisterAsync();
        var file = await UploadAsync(Line("r1", model: queue), openAI: true);
        (await SendAsync(HttpMethod.Get, "?after=", openAI: true)).Ok();

        var created = (await SendAsync(HttpMethod.Post, "",
            $$$"""{"input_file_id":"{{{file}}}","endpoint":"/v1/chat/completions","completion_window":"24h","metadata":{"a":"b"}}""",
            openAI: true)).Ok();

        var id = created.GetProperty("id").GetString()!;
        Keys(created).ShouldBe(
            "cancelled_at cancelling_at completed_at completion_window created_at endpoint error_file_id errors expired_at expires_at "
                + "failed_at finalizing_at id in_progress_at input_file_id metadata model object output_file_id request_counts "
                + "status usage");
        created.GetProperty("status").GetString().ShouldBe("validating");
        created.GetProperty("created_at").GetInt64().ShouldBeInRange(1_000_000_000, 9_999_999_999);
        created.GetProperty("expires_at").GetInt64().ShouldBe(created.GetProperty("created_at").GetInt64() + 86_400);
        created.GetProperty("expired_at").ValueKind.ShouldBe(JsonValueKind.Null);
        created.GetProperty("output_file_id").ValueKind.ShouldBe(JsonValueKind.Null);
        created.GetProperty("metadata").GetProperty("a").GetString().ShouldBe("b");
        var list = (await SendAsync(HttpMethod.Get, "", openAI: true)).Ok();
        Keys(list).ShouldBe("data first_id has_more last_id object");
        list.GetProperty("data")[0].GetProperty("id").GetString().ShouldBe(id);
        list.GetProperty("first_id").GetString().ShouldBe(id);

        var cancelled = await SendAsync(HttpMethod.Post, $"/{id}/cancel", openAI: true);
        cancelled.Ok().GetProperty("status").GetString().ShouldBeOneOf("cancelling", "cancelled");
        var missing = await SendAsync(HttpMethod.Get, "/BATCH-x", openAI: true);
        ((int)missing.Status).ShouldBe(404);
        missing.Json.GetProperty("error").GetProperty("message").GetString().ShouldNotBeNullOrEmpty();
        var empty = (await SendAsync(HttpMethod.Get, "", key: "B", openAI: true)).Ok();
        empty.GetRawText().ShouldBe("""{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}""");
    }

    [Theory]
    [InlineData("duplicate_custom_id", 2, "{0}\n{0}")]
    [InlineData("invalid_json_line", 2, "{0}\n{{oops")]
    [InlineData("url_mismatch", 2, "{0}\n{{\"custom_id\":\"x\",\"method\":\"POST\",\"url\":\"/v1/other\",\"body\":{{}}}}")]
    [InlineData("model_mismatch", 3,
        "{0}\n\n{{\"custom_id\":\"x\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{{\"model\":\"other\"}}}}")]
    [InlineData("missing_custom_id", 2, "{0}\n{{\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{{}}}}")]
    [InlineData("invalid_method", 2, "{0}\n{{\"custom_id\":\"x\",\"method\":\"GET\",\"url\":\"/v1/chat/completions\",\"body\":{{}}}}")]
    public async Task Check24_bad_input_fails_the_whole_batch(string code, int line, string text)
    {
        var queue = await server.RegisterAsync();
        var id = await StartAsync(queue, string.Format(System.Globalization.CultureInfo.InvariantCulture, text, Line("r1")), openAI: true);

        var failed = await EndAsync(id, openAI: true);

        failed.GetProperty("status").GetString().ShouldBe("failed");
        failed.GetProperty("failed_at").ValueKind.ShouldBe(JsonValueKind.Number);
        failed.GetProperty("errors").GetProperty("object").GetString().ShouldBe("list");
        var error = failed.GetProperty("errors").GetProperty("data")[0];
        (error.GetProperty("code").GetString(), error.GetProperty("line").GetInt32()).ShouldBe((code, line));
        Keys(error).ShouldBe("code line message param");
        (await server.TakeAsync($"{queue}:1")).GetRawText().ShouldBe("{}");
    }

    [Fact]
    public async Task Failed_requests_are_errors_for_OpenAI_and_results_for_Bella()
    {
        foreach (var openAI in new[] { true, false })
        {
            var queue = await server.RegisterAsync();
            var id = await StartAsync(queue, $"{Line("r1")}\n{Line("r2")}\n{Line("r3")}", openAI);
            var tasks = await TakeAllAsync(queue, 3);
            (await server.CompleteAsync(Id(tasks[0]), """{"status_code":"429","body":{"e":1}}""")).Ok();
            (await server.CompleteAsync(Id(tasks[1]), """{"body":{"ok":true}}""")).Ok();
            (await server.CompleteAsync(Id(tasks[2]), $$"""{"status_code":"408","request_id":"{{Id(tasks[2])}}"}""")).Ok();

            var done = await EndAsync(id, openAI);

            Counts(done).ShouldBe(openAI ? (3, 1, 2) : (3, 3, 0));
            var output = await LinesAsync(done.GetProperty("output_file_id").GetString()!);
            output.Count.ShouldBe(openAI ? 1 : 3);
            output.Single(l => l.GetProperty("custom_id").GetString() == "r2").GetProperty("response").GetProperty("status_code").GetInt32()
                .ShouldBe(200);
            if (!openAI)
                continue;
            var errors = await LinesAsync(done.GetProperty("error_file_id").GetString()!);
            errors[0].GetProperty("response").GetProperty("status_code").GetInt32().ShouldBe(429);
            errors[0].GetProperty("error").ValueKind.ShouldBe(JsonValueKind.Null);
            errors[1].GetProperty("response").ValueKind.ShouldBe(JsonValueKind.Null);
            errors[1].GetProperty("error").GetProperty("code").GetString().ShouldBe("request_timeout");
        }
    }

    [Fact]
    public async Task Any_line_ending_is_accepted()
    {
        var queue = await server.RegisterAsync();
        var id = await StartAsync(queue, $"\uFEFF{Line("r1")}\r\n\r\n  \n{Line("r2")}\r\n\n{Line("r1")}\n{{\"custom_id\":null}}");
        var tasks = await TakeAllAsync(queue, 4);
        foreach (var task in tasks)
            await CompleteAsync(task, "{}");

        var done = await EndAsync(id);

        Counts(done).ShouldBe((4, 4, 0)); // Bella accepts duplicates and lines without content
        (await LinesAsync(done.GetProperty("output_file_id").GetString()!)).Select(l => l.GetProperty("custom_id").GetString())
            .ShouldBe(["r1", "r2", "r1", null]);
    }

    private static string Line(string customId, string model = "m") =>
        $$$"""{"custom_id":"{{{customId}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"{{{model}}}","n":1}}""";

    private static string Keys(JsonElement value) =>
        string.Join(' ', value.EnumerateObject().Select(p => p.Name).Order(StringComparer.Ordinal));

    private static string Json(JsonElement value) => JsonSerializer.Serialize(value);

    private static string Json(string value) => JsonSerializer.Serialize(JsonDocument.Parse(value).RootElement);

    private static string Id(JsonElement task) => task.GetProperty("task_id").GetString()!;

    private static (int, int, int) Counts(JsonElement batch) =>
        batch.GetProperty("request_counts") is var c
            ? (c.GetProperty("total").GetInt32(), c.GetProperty("completed").GetInt32(), c.GetProperty("failed").GetInt32()) : default;

    private async Task<string> StartAsync(string queue, string lines, bool openAI = false) =>
        (await CreateAsync(await UploadAsync(lines, openAI), queue, openAI: openAI)).Ok().GetProperty("id").GetString()!;

    private Task<BellaReply> CreateAsync(string file, string queue, string more = "", bool openAI = false) =>
        SendAsync(HttpMethod.Post, "",
            $$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions"{{more}}}""", queue, openAI: openAI);

    private async Task<string> UploadAsync(string lines, bool openAI = false)
    {
        using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" },
            { new ByteArrayContent(Encoding.UTF8.GetBytes(lines)), "file", "in.jsonl" } };
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("/v1/files", UriKind.Relative)) { Content = form };
        if (openAI)
            request.Headers.Add("X-Stainless-Lang", "python");
        return (await BellaServer.ReadAsync(await server.Http.SendAsync(request))).Ok().GetProperty("id").GetString()!;
    }

    private Task<BellaReply> GetAsync(string id, bool openAI = false) => SendAsync(HttpMethod.Get, $"/{id}", openAI: openAI, other: true);

    private async Task<BellaReply> SendAsync(HttpMethod method, string path, string? body = null, string? queue = null, string key = "A",
        bool openAI = false, bool other = false)
    {
        using var request = new HttpRequestMessage(method, new Uri($"/v1/batches{path}", UriKind.Relative));
        request.Content = body is null ? null : new StringContent(body);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", TestKeys.Of(key));
        if (queue is not null)
            request.Headers.Add("X-BELLA-QUEUE-NAME", queue);
        if (openAI)
            request.Headers.Add("X-Stainless-Lang", "python");
        return await BellaServer.ReadAsync(await (other ? server.OtherHttp : server.Http).SendAsync(request));
    }

    private async Task<List<JsonElement>> TakeAllAsync(string queue, int count)
    {
        var tasks = new List<JsonElement>();
        while (tasks.Count < count)
            tasks.Add(await server.TakeFirstAsync($"{queue}:1"));
        return tasks;
    }

    private async Task CompleteAsync(JsonElement task, string body) =>
        (await server.CompleteAsync(Id(task), $$"""{"status_code":200,"request_id":"{{Id(task)}}","body":{{body}}}""")).Ok();

    private Task<JsonElement> EndAsync(string id, bool openAI = false, TimeSpan? deadline = null) =>
        Eventually.UntilAsync(
            async () =>
                (await GetAsync(id, openAI)).Ok() is var b
                    && b.GetProperty("status").GetString() is "completed" or "failed" or "expired" or "cancelled" ? (object)b : null,
            deadline ?? Deadline, "the batch has ended").ContinueWith(t => (JsonElement)t.Result, TaskScheduler.Default);

    private async Task<List<JsonElement>> LinesAsync(string file) =>
        [.. (await server.OtherHttp.GetStringAsync(new Uri($"/v1/files/{file}/content", UriKind.Relative))).TrimEnd('\n').Split('\n')
            .Select(l => JsonDocument.Parse(l).RootElement)];
}
