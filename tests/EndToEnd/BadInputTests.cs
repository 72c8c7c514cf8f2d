using System.Text;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Bad input gets an error in the API's format and changes nothing.</summary>
public abstract class BadInputTests(Stack stack)
{
    private const string Claim = "/workers/claim", Heartbeat = "/workers/heartbeat", Report = "/workers/report", Tasks = "/tasks",
        Bulk = "/tasks/bulk";

    internal static readonly bool[] Framings = [false, true]; // Content-Length, chunked

    private readonly string _queue = $"q{Guid.NewGuid():N}";

    private HttpClient Http => stack.Http;

    public static TheoryData<string, string> Refused => new()
    {
        { Claim, "" }, { Claim, "{" }, { Claim, "[]" }, { Claim, "null" }, { Claim, "1" }, { Claim, "{} {}" }, { Claim, "{}x" },
        { Claim, """{"worker":"w"}""" },
        { Claim, """{"queues":[],"worker":"w"}""" },
        { Claim, """{"queues":"q","worker":"w"}""" },
        { Claim, """{"queues":[null],"worker":"w"}""" },
        { Claim, """{"queues":[1],"worker":"w"}""" },
        { Claim, """{"queues":["a b"],"worker":"w"}""" },
        { Claim, """{"queues":["a:-1"],"worker":"w"}""" },
        { Claim, """{"queues":["a:65536"],"worker":"w"}""" },
        { Claim, """{"queues":["a:99999999999"],"worker":"w"}""" },
        { Claim, """{"queues":["q\u0000"],"worker":"w"}""" },
        { Claim, """{"queues":["q"]}""" },
        { Claim, """{"queues":["q"],"worker":""}""" },
        { Claim, """{"queues":["q"],"worker":"w\u0000"}""" },
        { Claim, """{"queues":["q"],"worker":"\ud800"}""" },
        { Claim, $$"""{"queues":["q"],"worker":"{{new string('w', 201)}}"}""" },
        { Claim, $$"""{"queues":[{{string.Join(',', Enumerable.Range(0, 101).Select(i => $"\"q{i}\""))}}],"worker":"w"}""" },
        { Claim, """{"queues":["q"],"worker":"w","max":0}""" },
        { Claim, """{"queues":["q"],"worker":"w","max":-1}""" },
        { Claim, """{"queues":["q"],"worker":"w","max":1001}""" },
        { Claim, """{"queues":["q"],"worker":"w","max":1e308}""" },
        { Claim, """{"queues":["q"],"worker":"w","max":1.5}""" },
        { Claim, """{"queues":["q"],"worker":"w","max":99999999999999999999}""" },
        { Claim, """{"queues":["q"],"worker":"w","lease_seconds":0}""" },
        { Claim, """{"queues":["q"],"worker":"w","lease_seconds":-1}""" },
        { Claim, """{"queues":["q"],"worker":"w","lease_seconds":0.5}""" },
        { Claim, """{"queues":["q"],"worker":"w","lease_seconds":86401}""" },
        { Claim, """{"queues":["q"],"worker":"w","lease_seconds":1e308}""" },
        { Claim, """{"queues":["q"],"worker":"w","lease_seconds":1e999}""" },
        { Claim, """{"queues":["q"],"worker":"w","lease_seconds":"NaN"}""" },
        { Claim, """{"queues":["q"],"worker":"w","lease_seconds":NaN}""" },
        { Claim, """{"queues":["q"],"worker":"w","wait_seconds":-0.1}""" },
        { Claim, """{"queues":["q"],"worker":"w","wait_seconds":31}""" },
        { Claim, """{"queues":["q"],"worker":"w","wait_seconds":1e308}""" },
        { Heartbeat, "{}" }, { Heartbeat, """{"tasks":[]}""" }, { Heartbeat, """{"tasks":{}}""" }, { Heartbeat, """{"tasks":[null]}""" },
        { Heartbeat, """{"tasks":[{}]}""" },
        { Heartbeat, """{"tasks":[{"id":"x","attempt":1}]}""" },
        { Heartbeat, """{"tasks":[{"id":"00000000-0000-4000-8000-000000000000"}]}""" },
        { Heartbeat, """{"tasks":[{"id":"00000000-0000-4000-8000-000000000000","attempt":"1"}]}""" },
        { Heartbeat, """{"tasks":[{"id":"00000000-0000-4000-8000-000000000000","attempt":1e308}]}""" },
        { Heartbeat, """{"tasks":[{"id":"00000000-0000-4000-8000-000000000000","attempt":1,"lease_seconds":0}]}""" },
        { Report, "{}" }, { Report, """{"tasks":[]}""" }, { Report, """{"tasks":[7]}""" },
        { Report, """{"tasks":[{"id":"00000000-0000-4000-8000-000000000000","attempt":1}]}""" },
        { Report, """{"tasks":[{"id":"00000000-0000-4000-8000-000000000000","attempt":1,"outcome":"done"}]}""" },
        { Report, """{"tasks":[{"id":"00000000-0000-4000-8000-000000000000","attempt":1,"outcome":"failed"}]}""" },
        { Report, """{"tasks":[{"id":"00000000-0000-4000-8000-000000000000","attempt":1,"outcome":"failed","error":"\udc00"}]}""" },
        {
            Report,
            """{"tasks":[{"id":"00000000-0000-4000-8000-000000000000","attempt":1,"outcome":"failed","error":"e","retryable":1}]}"""
        },
        {
            Report,
            """{"tasks":[""" + string.Join(',', Enumerable.Repeat(
                """{"id":"00000000-0000-4000-8000-000000000000","attempt":1,"outcome":"completed"}""", 1001)) + "]}"
        },
        { Bulk, "" }, { Bulk, "{" }, { Bulk, "[]" }, { Bulk, "{}" }, { Bulk, """{"tasks":{}}""" }, { Bulk, """{"tasks":[null]}""" },
        { Tasks, "{" }, { Tasks, "nul" }, { Tasks, "[{}]" }, { Tasks, """{"action":"a","queue":"q\u0000"}""" },
        { Tasks, """{"action":"a","queue":"\ud800"}""" }, { Tasks, """{"action":"\ud800"}""" },
        { Tasks, """{"action":"a","\udc00\ud800":null}""" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task An_invalid_body_is_refused(string path, string body) =>
        await UnchangedAsync(async () => Expect400(path, await Http.PostAsync(path, body)));

    [Fact]
    public async Task A_body_that_is_not_UTF8_is_refused()
    {
        byte[][] bodies = [[0xFF, 0xFE], [.. "{\"action\":\""u8, 0xC3, 0x28, .. "\"}"u8], [0xEF, 0xBB, 0xBF, 0xED, 0xA0, 0x80],
            Encoding.Unicode.GetBytes("{\"action\":1}")];
        await UnchangedAsync(async () =>
        {
            foreach (var body in bodies)
            {
                foreach (var path in new[] { Tasks, Bulk, Claim, Heartbeat, Report })
                    Expect400(path, await Http.PostAsync(path, Json(body)));
            }
        });
    }

    [Fact]
    public async Task Ten_thousand_brackets_are_refused()
    {
        var deep = new string('[', 10_000);
        var closed = deep + new string(']', 10_000);
        await UnchangedAsync(async () =>
        {
            foreach (var body in new[]
            {
                deep, closed, $$"""{"action":"a","data":{{closed}}}""", $$"""{"tasks":{{deep}}""", $$"""{"queues":{{deep}}""",
            })
            {
                foreach (var path in new[] { Tasks, Bulk, Claim, Heartbeat, Report })
                    Expect400(path, await Http.PostAsync(path, body));
            }
        });
    }

    [Fact]
    public async Task A_body_that_is_too_large_is_refused_before_it_is_read()
    {
        var large = Encoding.UTF8.GetBytes($$"""{"action":"{{new string('a', 10 * 1024 * 1024)}}"}""");
        await UnchangedAsync(async () =>
        {
            foreach (var chunked in Framings)
            {
                var reply = await Http.PostAsync(Tasks, Json(large, chunked));
                reply.Status.ShouldBe(413);
                reply.Json.Names().ShouldBe(["error"]);
                Problems.Expect(await Http.PostAsync(Claim, Json(large, chunked)), 413, "too_large");
            }
        });
    }

    [Fact]
    public async Task A_payload_of_65_KB_is_accepted()
    {
        var text = new string('ä', 65 * 512);
        foreach (var chunked in Framings)
        {
            var reply = await Http.PostAsync(Tasks, Json(Encoding.UTF8.GetBytes(
                $$"""{"action":"a","queue":"{{_queue}}","data":{"text":"{{text}}"} }"""), chunked));
            reply.Status.ShouldBe(202, reply.Text);
        }

        (await Http.ClaimAsync(_queue, max: 2)).ShouldAllBe(t => t.GetProperty("payload").GetProperty("data").Text("text") == text);
    }

    [Fact]
    public async Task Unusual_but_valid_JSON_passes_through_unchanged()
    {
        string[] data = ["""{"text":"\u0000\ud800"}""", "1e999", "-0.0", """{"a":1,"a":2}""",
            new string('[', 62) + new string(']', 62), "\"\\u00e4 ä \\ud83d\\ude00 😀\""];
        foreach (var value in data)
        {
            var id = await Http.SubmitAsync($$"""{"action":"a\u0000","queue":"{{_queue}}","data":{{value}}}""");
            var claim = await Http.PostAsync(Claim, new { queues = new[] { _queue }, worker = "w" });
            claim.Status.ShouldBe(200, value);
            claim.Text.ShouldContain($"\"data\":{value}", Case.Sensitive);

            var entry = $$"""{"tasks":[{"id":"{{id}}","attempt":1,"outcome":"completed","result":{{(value[0] == '[' ? "1" : value)}}}]}""";
            (await Http.PostAsync(Report, entry)).Text.ShouldContain("\"ok\"");
            var task = await Http.ReadAsync($"/tasks/{id}");
            task.Status.ShouldBe(200, value);
            task.Text.ShouldContain($"\"data\":{value}", Case.Sensitive);
            (await Http.ReadAsync("/tasks?status=completed")).Status.ShouldBe(200);
        }
    }

    [Fact]
    public async Task NUL_is_removed_from_errors()
    {
        var id = await Http.SubmitAsync(new { action = "a", queue = _queue });
        await Http.ClaimAsync(_queue);
        (await Http.TellAsync("report", new { id, attempt = 1, outcome = "failed", error = "bad\0 luck", retryable = false }))
            .ShouldBe(["ok"]);
        (await Http.TaskAsync(id)).Text("error").ShouldBe("bad luck");
    }

    [Fact]
    public async Task The_maximum_lease_and_wait_are_accepted()
    {
        await Http.SubmitAsync(new { action = "a", queue = _queue });
        (await Http.ClaimAsync(_queue, max: 1000, lease_seconds: 86_400, wait_seconds: 30)).Count.ShouldBe(1);
    }

    [Theory]
    [InlineData("a b", """{"delivery":"pull"}""")]
    [InlineData("a%00", """{"delivery":"pull"}""")]
    [InlineData("a:1", """{"delivery":"pull"}""")]
    [InlineData("taskqueue-submit", """{"delivery":"pull"}""")]
    [InlineData("q", """{"delivery":"other"}""")]
    [InlineData("q", """{"description":1}""")]
    [InlineData("q", """{"max_runing":1}""")]
    [InlineData("q", """{"rate":{"token":1}}""")]
    [InlineData("q", """{"lease_seconds":0.9}""")]
    [InlineData("q", """{"lease_seconds":86401}""")]
    [InlineData("q", """{"expire_after_seconds":0}""")]
    [InlineData("q", """{"max_attempts":0}""")]
    [InlineData("q", """{"max_attempts":101}""")]
    [InlineData("q", """{"retry":{"intervals":[-1]}}""")]
    [InlineData("q", """{"retry":{"factor":0.5}}""")]
    [InlineData("q", """{"retry":{"jitter":1.1}}""")]
    [InlineData("q", """{"retry":{"intervals":"1"}}""")]
    [InlineData("q", """{"max_running":-1}""")]
    [InlineData("q", """{"rate":{"tokens":0}}""")]
    [InlineData("q", """{"rate":{"tokens":1,"interval_seconds":0}}""")]
    [InlineData("q", """{"rate":{"tokens":1,"interval_seconds":1e300}}""")]
    [InlineData("q", """{"dead_letters":{"max_size":-1}}""")]
    [InlineData("q", """{"dead_letters":{"retention_seconds":0}}""")]
    [InlineData("q", """{"keep_finished_seconds":0}""")]
    [InlineData("q", """{"events":"some"}""")]
    [InlineData("q", """{"tiers":{"x":{}}}""")]
    [InlineData("q", """{"tiers":{"65536":{}}}""")]
    [InlineData("q", """{"tiers":{"1":{},"01":{}}}""")]
    [InlineData("q", """{"tiers":{"1":null}}""")]
    [InlineData("q", """{"tiers":{"1":{"priority":"5"}}}""")]
    [InlineData("q", """{"delivery":1}""")]
    [InlineData("q", """{"delivery":"pull"}}""")]
    [InlineData("q", "")]
    public async Task An_invalid_request_declares_no_queue(string name, string body) =>
        await UnchangedAsync(async () =>
        {
            var reply = await Http.PutAsync($"/queues/{name}", body);
            reply.Status.ShouldBe(400, reply.Text);
            if (!name.Contains('%', StringComparison.Ordinal)) // refused by the server before any API
                reply.Json.Text("code").ShouldBeOneOf("invalid_request", "invalid_json");
        });

    [Fact]
    public async Task A_queue_name_has_at_most_128_characters()
    {
        await UnchangedAsync(async () =>
            Problems.Expect(await Http.PutAsync($"/queues/{new string('q', 129)}", new { delivery = "pull" }), 400, "invalid_request"));
        (await Http.PutAsync($"/queues/{_queue}{new string('q', 128 - _queue.Length)}", new { delivery = "pull" })).Status.ShouldBe(201);
    }

    /// <summary>A body with a Content-Length, or chunked.</summary>
    internal static object Json(byte[] body, bool chunked = false)
    {
        HttpContent content = chunked ? new StreamContent(new Unseekable(body)) : new ByteArrayContent(body);
        content.Headers.ContentType = new("application/json");
        return content;
    }

    private static void Expect400(string path, Reply reply)
    {
        reply.Status.ShouldBe(400, reply.Text);
        if (path == Tasks)
        {
            reply.ContentType.ShouldBe("application/json");
            reply.Json.Names().ShouldBe(["error"]);
            reply.Json.Text("error").ShouldNotBeNullOrEmpty();
        }
        else
        {
            reply.ContentType.ShouldBe("application/problem+json");
            reply.Json.Text("code").ShouldBeOneOf("invalid_json", "invalid_request", "action_required");
            reply.Json.Text("detail").ShouldNotBeNullOrEmpty();
        }
    }

    private async Task UnchangedAsync(Func<Task> act)
    {
        var before = await CountAsync();
        await act();
        (await CountAsync()).ShouldBe(before);
    }

    // Nothing else runs here meanwhile: the tests of a class run one after another, and none leaves running work behind.
    private async Task<(int Tasks, int Queues, int Events)> CountAsync()
    {
        await using var db = stack.Database.CreateContext();
        return (await db.Tasks.CountAsync(), await db.Queues.CountAsync(), (await db.EventsAsync()).Count);
    }

    /// <summary>Its length is not known in advance.</summary>
    private sealed class Unseekable(byte[] body) : MemoryStream(body)
    {
        public override bool CanSeek => false;
    }
}

public sealed class BadInputOnSqlite(SqliteStack stack) : BadInputTests(stack), IClassFixture<SqliteStack>;

public sealed class BadInputOnServers(ServersStack stack) : BadInputTests(stack), IClassFixture<ServersStack>;
