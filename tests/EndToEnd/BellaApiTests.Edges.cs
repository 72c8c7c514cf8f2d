using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;
using Shouldly;
using TaskQueue.Engine.Ids;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Bad input, other APIs' tasks, expiry, leases and many workers at once.</summary>
public abstract partial class BellaApiTests
{
    [Fact]
    public async Task Check15_take_validation()
    {
        var name = await server.RegisterAsync();
        await server.PutAsync(name, 0);

        foreach (var body in new[]
        {
            """{"queues":[],"size":1}""",
            """{"size":1}""",
            """{"queues":null,"size":1}""",
            """{"queues":"q:0","size":1}""",
            """{"queues":[null],"size":1}""",
            $$"""{"queues":["{{name}}"],"size":1}""",
            $$"""{"queues":["{{name}}:"],"size":1}""",
            $$"""{"queues":["{{name}}:x"],"size":1}""",
            $$"""{"queues":["{{name}}:-1"],"size":1}""",
            $$"""{"queues":["{{name}}:0:0"],"size":1}""",
            """{"queues":["bad name:0"],"size":1}""",
            $$"""{"queues":["{{name}}:0"]}""",
            $$"""{"queues":["{{name}}:0"],"size":"1"}""",
            $$"""{"queues":["{{name}}:0"],"size":1,"strategy":"FIFO"}""",
            $$"""{"queues":["{{name}}:0"],"size":1,"strategy":"lifo"}""",
            $$"""{"queues":["{{name}}:0"],"size":1,"process_timeout":"1"}""",
            $$"""{"queues":["{{name}}:0"],"size":1,"process_timeout":86401}""",
            $$$"""{"queues":["{{{name}}}:0"],"size":1,"process_max_retries":{}}""",
            $$"""{"queues":["{{name}}:0"],"size":1,"min_age_seconds":1000001}""",
            $$"""{"queues":["{{name}}:0"],"size":1,"process_timeout":1,"process_max_retries":-2}""",
            $$"""{"queues":["{{name}}:0"],"size":-1,"strategy":"active_passive"}""",
            $$"""{"queues":["{{name}}:0"],"size":-1,"strategy":"round_robin"}""",
            """{"queues":["tasks:0"],"size":1}""",
        })
            ShouldBeError(await server.PostAsync("take", body), 400);

        ShouldBeError(await server.PostAsync("take", $$"""{"queues":["{{name}}:0","nope:0"],"size":1}"""), 404);
        await server.TakeOneAsync($"{name}:0");
    }

    [Fact]
    public async Task Check15_unknown_members_are_accepted()
    {
        var name = await server.RegisterAsync();
        var id = await server.PutAsync(name, 1, ""","surprise":[1] """);

        (await server.TakeOneAsync($"{name}:1",
            $$$""","worker":{"id":"w","capacities":{"{{{name}}}:1":3}},"process_timeout":0,"process_max_retries":-1,"min_age_seconds":0"""))
            .ShouldBe(id);
    }

    [Theory]
    [InlineData("register")]
    [InlineData("put")]
    [InlineData("take")]
    [InlineData("TASK-1-1-C-251111201500-0001-000001/complete")]
    public async Task Bodies_that_are_not_JSON_objects_are_refused(string path)
    {
        foreach (var body in new[] { "", "{", "{oops", """{"queue":"a"}x""", "[]", "1", "null", "\"text\"", """{"a":1,}""" })
            ShouldBeError(await server.PostAsync(path, body), 400);
        ShouldBeError(await server.PostAsync(path, new ByteArrayContent([.. "{\"queue\":\""u8, 0xC3, 0x28, .. "\"}"u8])), 400);

        var name = server.NewName();
        ShouldBeError(await server.PostAsync("register", $$"""{"queue":"{{name}}","endpoint":"/x"} x"""), 400);
        var form = new StringContent($$"""{"queue":"{{name}}","endpoint":"/x"}""", Encoding.UTF8, "application/x-www-form-urlencoded");
        (await server.PostAsync("register", form)).Ok().GetString().ShouldBe(name);
    }

    [Theory]
    [InlineData("register", true)]
    [InlineData("put", true)]
    [InlineData("take", false)]
    [InlineData("TASK-1-1-C-251111201500-0001-000001/complete", false)]
    public async Task Bodies_over_the_limit_are_413(string path, bool chunked)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, BellaServer.Uri(path));
        request.Content = new StringContent($$"""{"data":"{{new string('x', 1024 * 1024 + 16 * 1024)}}"}""");
        request.Headers.TransferEncodingChunked = chunked;

        ShouldBeError(await BellaServer.ReadAsync(await server.Http.SendAsync(request)), 413);
    }

    [Theory]
    [InlineData("TASK-1-1-C-251111201500-0001-000001")]
    [InlineData("TASK-X-X-X-XXXXXXXXXXXX-XXXX-XXXXXX")]
    [InlineData("no%20id%22")]
    [InlineData("0e8ecf1d-2b0d-4d0c-8a4e-2f2f2f2f2f2f")]
    public async Task An_unknown_task_is_404_and_its_completion_200(string id)
    {
        ShouldBeError(await server.GetAsync(id), 404);

        (await server.CompleteAsync(id, "{}")).Ok().GetString().ShouldBe(Uri.UnescapeDataString(id));
    }

    [Fact]
    public async Task A_task_that_was_never_taken_cannot_be_completed()
    {
        var name = await server.RegisterAsync();
        var id = await server.PutAsync(name);

        (await server.CompleteAsync(id, "{}")).Ok().GetString().ShouldBe(id);

        (await server.GetAsync(id)).Ok().GetProperty("status").GetString().ShouldBe("waiting");
        (await server.TakeOneAsync($"{name}:1")).ShouldBe(id);
    }

    [Fact]
    public async Task An_expired_task_is_neither_taken_nor_completed()
    {
        var name = await server.RegisterAsync();
        var id = await server.PutAsync(name, 1, ""","timeout":1""");
        (await server.TakeOneAsync($"{name}:1")).ShouldBe(id);
        var waiting = await server.PutAsync(name, 1, ""","timeout":1""");
        var guid = NumberedTaskId.Parse(waiting)!.ToGuid();
        await Eventually.UntilAsync(
            async () => (await server.Http.GetStringAsync(new Uri($"/tasks/{guid}", UriKind.Relative)))
                .Contains("\"status\":\"expired\"", StringComparison.Ordinal), Deadline, "the task has expired");

        (await server.CompleteAsync(id, "{}")).Ok();

        (await StatusAsync(id)).ShouldBe("queued");
        (await StatusAsync(waiting)).ShouldBe("waiting"); // as the original shows it
        (await server.TakeAsync($"{name}:1")).GetRawText().ShouldBe("{}");
    }

    [Fact]
    public async Task A_cancelled_task_is_shown_and_no_longer_completed()
    {
        var name = await server.RegisterAsync();
        var (id, guid) = await TakeWithGuidAsync(name);
        (await server.Http.PostAsync(new Uri($"/tasks/{guid}/cancel", UriKind.Relative), content: null))
            .StatusCode.ShouldBe(HttpStatusCode.OK);

        (await server.CompleteAsync(id, "{}")).Ok();

        var task = (await server.GetAsync(id)).Ok();
        task.GetProperty("status").GetString().ShouldBe("cancelled");
        task.GetProperty("completed_time").GetInt64().ShouldBe(0);
        task.GetProperty("running_time").GetInt64().ShouldBe(0);
    }

    [Fact]
    public async Task A_redelivered_task_is_shown_as_queued()
    {
        var name = await server.RegisterAsync();
        var (id, guid) = await TakeWithGuidAsync(name);
        foreach (var verb in new[] { "cancel", "retry" })
            (await server.Http.PostAsync(new Uri($"/tasks/{guid}/{verb}", UriKind.Relative), content: null))
                .StatusCode.ShouldBe(HttpStatusCode.OK);

        var task = (await server.TakeAsync($"{name}:1")).GetProperty($"{name}:1")[0];

        task.GetProperty("task_id").GetString().ShouldBe(id);
        task.GetProperty("status").GetString().ShouldBe("queued");
    }

    [Fact]
    public async Task Without_a_process_timeout_a_task_is_handed_out_once_until_it_expires()
    {
        var name = await server.RegisterAsync();
        var (_, guid) = await TakeWithGuidAsync(name);

        var task = JsonDocument.Parse(await server.Http.GetStringAsync(new Uri($"/tasks/{guid}", UriKind.Relative))).RootElement;

        task.GetProperty("lease_until").GetDateTime().ShouldBe(task.GetProperty("expires_at").GetDateTime());
        task.GetProperty("status").GetString().ShouldBe("running");
        (await server.TakeAsync($"{name}:1")).GetRawText().ShouldBe("{}");
    }

    [Fact]
    public async Task Tasks_of_other_APIs_are_taken_and_completed_under_their_uuid()
    {
        var name = await server.RegisterAsync();
        var body = new StringContent($$$"""{"action":"x","data":{"a":null},"queue":"{{{name}}}:1"}""", Encoding.UTF8, "application/json");
        var accepted = await server.Http.PostAsync(new Uri("/tasks", UriKind.Relative), body);
        var guid = JsonDocument.Parse(await accepted.Content.ReadAsStringAsync()).RootElement.GetProperty("id").GetString()!;

        var task = (await server.TakeAsync($"{name}:1")).GetProperty($"{name}:1")[0];
        (await server.CompleteAsync(guid, """{"ok":true}""")).Ok().GetString().ShouldBe(guid);

        task.GetProperty("task_id").GetString().ShouldBe(guid);
        task.GetProperty("data").GetProperty("data").GetRawText().ShouldBe("""{"a":null}""");
        task.TryGetProperty("expire_time", out _).ShouldBeFalse();
        (await StatusAsync(guid)).ShouldBe("succeeded");
    }

    [Fact]
    public async Task Sixteen_workers_at_once_never_take_a_task_twice()
    {
        const int Tasks = 200;
        var qa = await server.RegisterAsync();
        var qb = await server.RegisterAsync();
        var put = await Task.WhenAll(Enumerable.Range(0, Tasks).Select(n => server.PutAsync(n % 2 == 0 ? qa : qb)));
        var taken = new ConcurrentQueue<string>();

        await Task.WhenAll(Enumerable.Range(0, 16).Select(async _ =>
        {
            while (await server.TakeAsync($"{qa}:1 {qb}:1", 3) is var tasks && tasks.EnumerateObject().Any())
            {
                foreach (var task in tasks.EnumerateObject().SelectMany(q => q.Value.EnumerateArray()))
                    taken.Enqueue(task.GetProperty("task_id").GetString()!);
            }
        }));

        taken.Order(StringComparer.Ordinal).ShouldBe(put.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Only_one_of_many_concurrent_completions_counts()
    {
        var name = await server.RegisterAsync();
        await server.PutAsync(name);
        var id = await server.TakeOneAsync($"{name}:1");

        var replies = await Task.WhenAll(Enumerable.Range(0, 8).Select(n => server.CompleteAsync(id, $$"""{"n":{{n}}}""")));

        replies.ShouldAllBe(r => r.Status == HttpStatusCode.OK);
        var first = (await server.GetAsync(id)).Ok().GetProperty("result").GetRawText();
        (await server.CompleteAsync(id, """{"n":8}""")).Ok();
        (await server.GetAsync(id)).Ok().GetProperty("result").GetRawText().ShouldBe(first);
    }

    [Fact]
    public async Task The_routes_are_in_the_OpenAPI_document_under_bella()
    {
        var paths = JsonDocument.Parse(await server.Http.GetStringAsync(new Uri("/openapi/v1.json", UriKind.Relative)))
            .RootElement.GetProperty("paths");

        foreach (var (path, method) in new[]
        {
            ("register", "post"), ("{queue}/metadata", "get"), ("put", "post"), ("take", "post"), ("{taskId}/complete", "post"),
            ("{taskId}", "get"),
            ("{taskId}/progress", "post"), ("{taskId}/cancel", "post"), ("eventbus", "get"), ("{queue}/stats", "get"),
        })
        {
            var route = paths.GetProperty($"/v1/queue/{path}").GetProperty(method);
            route.GetProperty("tags").EnumerateArray().Select(t => t.GetString()).ShouldBe(["bella"]);
            route.GetProperty("summary").GetString().ShouldNotBeNullOrWhiteSpace();
        }
    }

    private Task<string> StatusAsync(string id) => server.StatusAsync(id);

    /// <summary>Puts a task and takes it; returns its id in both forms.</summary>
    private async Task<(string Id, Guid Guid)> TakeWithGuidAsync(string name, string more = "")
    {
        await server.PutAsync(name);
        var id = await server.TakeOneAsync($"{name}:1", more);
        return (id, NumberedTaskId.ParseAny(id)!.Value);
    }
}
