using System.Net;
using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.EndToEnd.BatchUpstreamServer;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What clients of OpenAI's API find that are not its SDKs: the server is as it starts, without a setting for dialects.</summary>
public sealed partial class OpenAIDialectTests(BatchUpstreamsOnSqlite server) : IClassFixture<BatchUpstreamsOnSqlite>
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("curl/8.5.0", null, true)]
    [InlineData("Go-http-client/2.0", null, true)]
    [InlineData("ai-sdk/openai/2.0 runtime/node.js/22", null, true)]
    [InlineData("shop/1.2 OpenAI/2.1.0 (.NET 10.0)", null, true)]
    [InlineData("shop/1.2 OpenAI/2.1.0 (.NET 10.0)", "X-BELLA-QUEUE-NAME: q", true)]
    [InlineData("curl/8.5.0", "X-BELLA-QUEUE-NAME: q", false)]
    [InlineData("curl/8.5.0", "X-Bella-Dialect: bella", false)]
    [InlineData("OpenAI/Python 1.0", "X-Bella-Dialect: bella", false)]
    public async Task OpenAIs_dialect_is_the_default(string agent, string? header, bool isOpenAI)
    {
        using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" },
            { new ByteArrayContent("{}"u8.ToArray()), "file", "in.jsonl" } };
        using var request = new HttpRequestMessage(HttpMethod.Post, Path("/v1/files")) { Content = form };
        request.Headers.TryAddWithoutValidation("User-Agent", agent);
        if (header is not null)
            request.Headers.Add(header.Split(": ")[0], header.Split(": ")[1]);

        var file = (await BellaServer.ReadAsync(await server.Http.SendAsync(request))).Ok();

        file.GetProperty("created_at").GetInt64().ToString(System.Globalization.CultureInfo.InvariantCulture).Length
            .ShouldBe(isOpenAI ? 10 : 13);
    }

    [Fact]
    public async Task A_batch_is_shown_in_the_dialect_in_which_it_was_created()
    {
        (await server.Http.PostAsync(Path("/v1/queue/register"),
            new StringContent("""{"queue":"of-bella","endpoint":"/v1/nobody"}"""))).EnsureSuccessStatusCode();
        using var request = new HttpRequestMessage(HttpMethod.Post, Path("/v1/batches"));
        request.Headers.Add("X-BELLA-QUEUE-NAME", "of-bella");
        request.Content = new StringContent(
            $$"""{"input_file_id":"{{await server.UploadAsync(Lines(1))}}","endpoint":"/v1/nobody","completion_window":"soon"}""");
        var id = (await BellaServer.ReadAsync(await server.Http.SendAsync(request))).Ok().GetProperty("id").GetString();

        (await ReadAsync($"/v1/batches/{id}")).GetProperty("error_file_id").GetString().ShouldBe("");
    }

    [Theory]
    [InlineData("\"soon\"", HttpStatusCode.BadRequest)]
    [InlineData("\"24H\"", HttpStatusCode.BadRequest)]
    [InlineData("\"0h\"", HttpStatusCode.BadRequest)]
    [InlineData("\"24h\"", HttpStatusCode.OK)]
    [InlineData("\"7d\"", HttpStatusCode.OK)]
    public async Task A_window_is_a_number_and_a_unit(string window, HttpStatusCode status)
    {
        var file = await server.UploadAsync(Lines(1));

        var answer = await PostAsync("/v1/batches",
            $$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions","completion_window":{{window}}}""");

        answer.Status.ShouldBe(status, answer.Body);
        if (status == HttpStatusCode.BadRequest)
            answer.Json.GetProperty("error").GetProperty("param").GetString().ShouldBe("completion_window");
    }

    [Fact]
    public async Task A_line_that_asks_for_a_stream_fails_the_batch()
    {
        var id = await server.CreateAsync(await server.UploadAsync($"{Line("r1")}\n{Line("r2", ",\"stream\":true")}"));

        var failed = await server.EndAsync(id, Deadline);

        failed.GetProperty("status").GetString().ShouldBe("failed");
        var error = failed.GetProperty("errors").GetProperty("data")[0];
        (error.GetProperty("line").GetInt32(), error.GetProperty("param").GetString()).ShouldBe((2, "body.stream"));
    }

    [Fact]
    public async Task A_batch_tells_its_model_and_the_tokens_that_it_used()
    {
        server.Upstream.Usual = context => TestUpstream.SayAsync(context, 200,
            """
            {"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4},
             "completion_tokens_details":{"reasoning_tokens":3}}}
            """);

        var batch = await server.RunAsync(3, Deadline);

        batch.GetProperty("model").GetString().ShouldBe("m");
        var usage = batch.GetProperty("usage");
        (usage.Whole("input_tokens"), usage.Whole("output_tokens"), usage.Whole("total_tokens")).ShouldBe((30, 15, 45));
        usage.GetProperty("input_tokens_details").Whole("cached_tokens").ShouldBe(12);
        usage.GetProperty("output_tokens_details").Whole("reasoning_tokens").ShouldBe(9);
    }

    [Fact]
    public async Task The_failed_lines_of_a_batch_are_run_again()
    {
        var refused = 0;
        server.Upstream.Usual = context =>
            TestUpstream.BodyOf(context).Contains("again", StringComparison.Ordinal) && Interlocked.Increment(ref refused) <= 2
                ? TestUpstream.SayAsync(context, 400, """{"error":{"message":"no"}}""")
                : TestUpstream.SayAsync(context, 200, TestUpstream.Completion);
        var lines = string.Join('\n', Enumerable.Range(0, 5).Select(n => Line($"r{n}", $",\"again\":{n}")));
        var first = await server.EndAsync(await server.CreateAsync(await server.UploadAsync(lines)), Deadline);
        Counts(first).ShouldBe((5, 3, 2));
        var failed = (await server.LinesAsync(first, "error_file_id")).Select(l => l.GetProperty("custom_id").GetString()).ToList();
        var path = $"/v1/batches/{first.GetProperty("id").GetString()}/retry-failed";

        var again = await PostAsync(path, "", ("Idempotency-Key", "once"));
        var same = await PostAsync(path, "", ("Idempotency-Key", "once"));

        same.Ok().GetProperty("id").GetString().ShouldBe(again.Ok().GetProperty("id").GetString());
        var second = await server.EndAsync(again.Json.GetProperty("id").GetString()!, Deadline);
        Counts(second).ShouldBe((2, 2, 0));
        (await server.LinesAsync(second, "output_file_id")).Select(l => l.GetProperty("custom_id").GetString())
            .ShouldBe(failed, ignoreOrder: true);
        var nothing = await PostAsync($"/v1/batches/{second.GetProperty("id").GetString()}/retry-failed", "");
        (nothing.Status, nothing.Json.GetProperty("error").GetProperty("code").GetString())
            .ShouldBe((HttpStatusCode.Conflict, "not_retryable"));
    }

    [Fact]
    public async Task A_retry_that_is_sent_several_times_at_once_makes_one_batch_and_one_file()
    {
        server.Upstream.Usual = context => TestUpstream.SayAsync(context, 400, """{"error":{"message":"no"}}""");
        var first = await server.RunAsync(1, Deadline);
        var id = first.GetProperty("id").GetString();

        var answers = await Task.WhenAll(Enumerable.Range(0, 4)
            .Select(_ => PostAsync($"/v1/batches/{id}/retry-failed", "", ("Idempotency-Key", "at-once"))));

        answers.Select(a => a.Ok().GetProperty("id").GetString()).Distinct().ShouldHaveSingleItem();
        (await ReadAsync("/v1/files?purpose=batch")).GetProperty("data").EnumerateArray()
            .Count(f => f.GetProperty("filename").GetString() == $"retry_{id}.jsonl").ShouldBe(1);
    }

    [Fact]
    public async Task Identical_requests_run_once_if_that_is_asked_for()
    {
        server.Upstream.Usual = context => TestUpstream.SayAsync(context, 200, TestUpstream.Completion);
        var lines = string.Join('\n', Enumerable.Range(0, 6).Select(n => Line($"r{n}", $",\"twin\":{n % 2}")));

        var batch = await server.EndAsync(await server.CreateAsync(await server.UploadAsync(lines), ",\"deduplicate\":true"), Deadline);

        server.Upstream.Requests.Count(r => r.Body.Contains("twin", StringComparison.Ordinal)).ShouldBe(2);
        Counts(batch).ShouldBe((6, 6, 0));
        (await server.LinesAsync(batch, "output_file_id")).Select(l => l.GetProperty("custom_id").GetString())
            .ShouldBe(["r0", "r1", "r2", "r3", "r4", "r5"], ignoreOrder: true);
    }

    [Fact]
    public async Task Output_can_be_read_while_the_batch_runs()
    {
        var gate = new TaskCompletionSource();
        server.Upstream.Usual = async context =>
        {
            if (TestUpstream.BodyOf(context).Contains("\"wait\"", StringComparison.Ordinal))
                await gate.Task;
            await TestUpstream.SayAsync(context, 200, TestUpstream.Completion);
        };
        var id = await server.CreateAsync(await server.UploadAsync($"{Line("r1")}\n{Line("r2", ",\"x\":\"wait\"")}"));

        await Eventually.UntilAsync(
            async () => (await server.Http.GetStringAsync(Path($"/v1/batches/{id}/output"))).Contains("\"r1\"", StringComparison.Ordinal),
            Deadline, "the first line is there");

        (await ReadAsync($"/v1/batches/{id}")).GetProperty("status").GetString().ShouldBe("in_progress");
        (await server.Http.GetStringAsync(Path($"/v1/batches/{id}/errors"))).ShouldBe("");
        gate.SetResult();
        var ended = await server.EndAsync(id, Deadline);
        Counts(ended).ShouldBe((2, 2, 0));
        var output = await server.Http.GetStringAsync(Path($"/v1/batches/{id}/output"));
        output.ShouldBe(await server.Http.GetStringAsync(Path($"/v1/files/{ended.GetProperty("output_file_id").GetString()}/content")));
        (await server.Http.GetStringAsync(Path($"/v1/batches/{id}/errors"))).ShouldBe("");
    }

    [Fact]
    public async Task A_request_with_a_key_creates_one_batch_and_one_file()
    {
        var file = await server.UploadAsync(Lines(1));
        var body = $$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions","completion_window":"24h"}""";

        var first = (await PostAsync("/v1/batches", body, ("Idempotency-Key", "k1"))).Ok().GetProperty("id").GetString();
        (await PostAsync("/v1/batches", body, ("Idempotency-Key", "k1"))).Ok().GetProperty("id").GetString().ShouldBe(first);
        var other = await PostAsync("/v1/batches", body);

        other.Ok().GetProperty("id").GetString().ShouldNotBe(first);
        other.Response.Headers.GetValues("X-TaskQueue-Warning").Single().ShouldContain(file);
        (await UploadAsync("k2")).ShouldBe(await UploadAsync("k2"));
        (await UploadAsync("k2")).ShouldNotBe(await UploadAsync("k3"));
        (await PostAsync("/v1/batches", body, ("Idempotency-Key", new string('k', 256)))).Status.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task Files_expire_when_they_are_asked_to()
    {
        var file = await UploadAsync(null, ("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "3600"));
        var shown = await ReadAsync($"/v1/files/{file}");
        (shown.GetProperty("expires_at").GetInt64() - shown.GetProperty("created_at").GetInt64()).ShouldBe(3600);
        server.Upstream.Usual = context => TestUpstream.SayAsync(context, 200, TestUpstream.Completion);

        var batch = await server.EndAsync(await server.CreateAsync(await server.UploadAsync(Lines(1)),
            ",\"output_expires_after\":{\"anchor\":\"created_at\",\"seconds\":7200}"), Deadline);

        var output = await ReadAsync($"/v1/files/{batch.GetProperty("output_file_id").GetString()}");
        (output.GetProperty("expires_at").GetInt64() - output.GetProperty("created_at").GetInt64()).ShouldBe(7200);
    }

    [Theory]
    [InlineData("created_at", "3599")]
    [InlineData("created_at", "2592001")]
    [InlineData("created_at", "soon")]
    [InlineData("last_active_at", "3600")]
    public async Task Other_expiries_are_refused(string anchor, string seconds)
    {
        using var form = Form(("expires_after[anchor]", anchor), ("expires_after[seconds]", seconds));
        (await BellaServer.ReadAsync(await server.Http.PostAsync(Path("/v1/files"), form))).Status.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Theory]
    [InlineData("PUT", "/v1/batches", 405, "method_not_allowed")]
    [InlineData("DELETE", "/v1/models", 405, "method_not_allowed")]
    [InlineData("GET", "/v1/nothing", 404, "not_found")]
    [InlineData("GET", "/v1/models/nobody", 404, "model_not_found")]
    public async Task Errors_of_all_of_v1_are_OpenAIs(string method, string path, int status, string code)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), Path(path));

        var answer = await BellaServer.ReadAsync(await server.Http.SendAsync(request));

        ((int)answer.Status).ShouldBe(status);
        var error = answer.Json.GetProperty("error");
        (error.GetProperty("code").GetString(), error.GetProperty("type").GetString()).ShouldBe((code, "invalid_request_error"));
        error.GetProperty("message").GetString().ShouldNotBeNullOrEmpty();
        error.GetProperty("param").ValueKind.ShouldBe(JsonValueKind.Null);
    }

    [Fact]
    public async Task Models_are_those_of_queues()
    {
        (await server.Http.PostAsync(Path("/v1/queue/register"),
            new StringContent("""{"queue":"llama-3","endpoint":"/v1/chat/completions"}"""))).EnsureSuccessStatusCode();

        var models = (await ReadAsync("/v1/models")).GetProperty("data").EnumerateArray();

        var ids = models.Select(m => m.GetProperty("id").GetString()).ToList();

        ids.ShouldContain("llama-3");
        ids.ShouldNotContain("v1-chat-completions"); // the queue of an upstream
        (await ReadAsync("/v1/models/llama-3")).GetProperty("object").GetString().ShouldBe("model");
    }

    [Fact]
    public async Task HEAD_of_a_file_tells_its_length()
    {
        var file = await UploadAsync(null);
        using var request = new HttpRequestMessage(HttpMethod.Head, Path($"/v1/files/{file}/content"));

        using var answer = await server.Http.SendAsync(request);

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        answer.Content.Headers.ContentLength.ShouldBe(2);
    }

    private static Uri Path(string path) => new(path, UriKind.Relative);

    private async Task<JsonElement> ReadAsync(string path) => (await BellaServer.ReadAsync(await server.Http.GetAsync(Path(path)))).Ok();

    private async Task<BellaReply> PostAsync(string path, string body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Path(path)) { Content = new StringContent(body) };
        foreach (var (name, value) in headers)
            request.Headers.Add(name, value);
        return await BellaServer.ReadAsync(await server.Http.SendAsync(request));
    }

    private async Task<string> UploadAsync(string? key, params (string Name, string Value)[] fields)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Path("/v1/files")) { Content = Form(fields) };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return (await BellaServer.ReadAsync(await server.Http.SendAsync(request))).Ok().GetProperty("id").GetString()!;
    }

    private static MultipartFormDataContent Form(params (string Name, string Value)[] fields)
    {
        var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" },
            { new ByteArrayContent("{}"u8.ToArray()), "file", "in.jsonl" } };
        foreach (var (name, value) in fields)
            form.Add(new StringContent(value), name);
        return form;
    }
}
