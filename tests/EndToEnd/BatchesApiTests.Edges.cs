using System.Net;
using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Invalid batches, expiry, webhooks and batches of other callers.</summary>
public abstract partial class BatchesApiTests
{
    [Fact]
    public async Task Invalid_batches_are_refused()
    {
        var queue = await server.RegisterAsync();
        var file = await UploadAsync(Line("r1", model: "nobody-has-this"));

        foreach (var (body, status) in new[]
        {
            ("""{"endpoint":"/x"}""", 400),
            ("""{"input_file_id":"","endpoint":"/x"}""", 400),
            ("""{"input_file_id":null,"endpoint":"/x"}""", 400),
            ($$"""{"input_file_id":"{{file}}"}""", 400),
            ($$"""{"input_file_id":"{{file}}","endpoint":"x"}""", 400),
            ("""{"input_file_id":"file-1","endpoint":"/x"}""", 404),
            ($$"""{"input_file_id":"{{file}}","endpoint":"/x","completion_window":"0h"}""", 400),
            ($$"""{"input_file_id":"{{file}}","endpoint":"/x","completion_window":"31d"}""", 400),
            ($$$"""{"input_file_id":"{{{file}}}","endpoint":"/x","metadata":{"a":1}}""", 400),
            ($$$"""{"input_file_id":"{{{file}}}","endpoint":"/x","metadata":{"{{{new string('k', 65)}}}":"v"}}""", 400),
            ($$$"""{"input_file_id":"{{{file}}}","endpoint":"/x","metadata":{"k":"{{{new string('v', 513)}}}"}}""", 400),
            ($$$"""{"input_file_id":"{{{file}}}","endpoint":"/x","metadata":{"callback_url":"ftp://x"}}""", 400),
            ("[]", 400),
            ("{oops", 400),
        })
        {
            var refused = await SendAsync(HttpMethod.Post, "", body, queue);
            ((int)refused.Status).ShouldBe(status, $"{body}\n{refused.Body}");
            refused.Json.GetProperty("code").GetInt32().ShouldBe(status);
            refused.Json.GetProperty("error").GetProperty("message").GetString().ShouldBe(refused.Json.GetProperty("message").GetString());
        }

        ((int)(await CreateAsync(file, "nobody-registered-this")).Status).ShouldBe(404);
        // No queue for its model
        ((int)(await SendAsync(HttpMethod.Post, "", $$"""{"input_file_id":"{{file}}","endpoint":"/x"}""")).Status).ShouldBe(400);
        foreach (var query in new[] { "?limit=0", "?limit=101", "?limit=x", "?after=BATCH-1" })
            ((int)(await SendAsync(HttpMethod.Get, query)).Status).ShouldBe(400);
        foreach (var (method, path) in new[] { (HttpMethod.Get, "/BATCH-1"),
            (HttpMethod.Post, "/BATCH-1-1-251111201500-0001-000001/cancel") })
            ((int)(await SendAsync(method, path)).Status).ShouldBe(404);
        ((int)(await SendAsync(HttpMethod.Get, "", key: "C")).Status).ShouldBe(401);
    }

    [Fact]
    public async Task Every_key_sees_only_its_own_batches()
    {
        var queue = await server.RegisterAsync();
        var id = await StartAsync(queue, Line("r1"));

        ((int)(await SendAsync(HttpMethod.Get, $"/{id}", key: "B")).Status).ShouldBe(404);
        ((int)(await SendAsync(HttpMethod.Post, $"/{id}/cancel", key: "B")).Status).ShouldBe(404);
        (await SendAsync(HttpMethod.Get, "", key: "B")).Ok().GetProperty("data").EnumerateArray()
            .ShouldNotContain(b => b.GetProperty("id").GetString() == id);
        (await GetAsync(id)).Ok().GetProperty("status").GetString().ShouldBeOneOf("validating", "in_progress");
    }

    [Fact]
    public async Task Lists_are_paged_newest_first()
    {
        var queue = await server.RegisterAsync();
        var file = await UploadAsync(Line("r1"));
        var ids = new List<string>();
        for (var n = 0; n < 5; n++)
            ids.Insert(0, (await CreateAsync(file, queue)).Ok().GetProperty("id").GetString()!);

        var seen = new List<string>();
        while (seen.Count < ids.Count)
        {
            var page = (await SendAsync(HttpMethod.Get, $"?limit=2{(seen.Count > 0 ? $"&after={seen[^1]}" : "")}", other: true)).Ok();
            seen.AddRange(page.GetProperty("data").EnumerateArray().Select(b => b.GetProperty("id").GetString()!));
            page.GetProperty("last_id").GetString().ShouldBe(seen[^1]);
        }

        seen[..5].ShouldBe(ids);
    }

    [Fact]
    public async Task A_finished_batch_is_posted_to_its_webhook()
    {
        await using var receiver = await TestReceiver.StartAsync();
        var queue = await server.RegisterAsync();
        var file = await UploadAsync(Line("r1"));
        var id = (await CreateAsync(file, queue,
            $$$""","metadata":{"callback_url":"{{{receiver.Url}}}/batch","k":"v"}""")).Ok().GetProperty("id").GetString()!;
        await CompleteAsync((await TakeAllAsync(queue, 1))[0], "{}");
        await EndAsync(id);

        await Eventually.UntilAsync(() => Task.FromResult(!receiver.All.IsEmpty), Deadline, "the webhook came");

        var got = receiver.All.ShouldHaveSingleItem();
        var batch = JsonDocument.Parse(got.Body).RootElement;
        (got.Path, batch.GetProperty("id").GetString(), batch.GetProperty("status").GetString()).ShouldBe(("/batch", id, "completed"));
        batch.GetProperty("metadata").GetProperty("k").GetString().ShouldBe("v");
        got.Headers["webhook-signature"].ShouldStartWith("v1,");
        long.Parse(got.Headers["webhook-timestamp"], System.Globalization.CultureInfo.InvariantCulture).ShouldBeGreaterThan(1_700_000_000);
    }

    [Theory]
    [InlineData("", true)]
    [InlineData(",\"callback_body\":\"event\"", true)]
    [InlineData(",\"callback_body\":\"batch\"", false)]
    public async Task The_webhook_of_OpenAIs_dialect_is_its_event(string choice, bool isEvent)
    {
        await using var receiver = await TestReceiver.StartAsync();
        var queue = await server.RegisterAsync();
        var file = await UploadAsync(Line("r1"), openAI: true);
        var metadata = $$$""","metadata":{"callback_url":"{{{receiver.Url}}}/batch"{{{choice}}}}""";
        var id = (await CreateAsync(file, queue, metadata, openAI: true)).Ok().GetProperty("id").GetString()!;
        await CompleteAsync((await TakeAllAsync(queue, 1))[0], "{}");

        await Eventually.UntilAsync(() => Task.FromResult(!receiver.All.IsEmpty), Deadline, "the webhook came");

        var got = JsonDocument.Parse(receiver.All.ShouldHaveSingleItem().Body).RootElement;
        if (isEvent)
        {
            Keys(got).ShouldBe("created_at data id object type");
            (got.GetProperty("type").GetString(), got.GetProperty("object").GetString()).ShouldBe(("batch.completed", "event"));
            got.GetProperty("data").GetProperty("id").GetString().ShouldBe(id);
        }
        else
        {
            (got.GetProperty("object").GetString(), got.GetProperty("id").GetString()).ShouldBe(("batch", id));
        }
    }

    [Fact]
    public async Task Another_choice_of_the_webhooks_body_is_refused()
    {
        var queue = await server.RegisterAsync();

        var refused = await CreateAsync(await UploadAsync(Line("r1")), queue, ",\"metadata\":{\"callback_body\":\"xml\"}");

        ((int)refused.Status).ShouldBe(400);
        refused.Json.GetProperty("error").GetProperty("param").GetString().ShouldBe("metadata");
    }

    [Fact]
    public async Task Azures_clients_send_their_key_alone()
    {
        using var client = new HttpClient { BaseAddress = server.Http.BaseAddress };

        foreach (var (key, status) in new[] { (TestKeys.Of("A"), HttpStatusCode.OK), (TestKeys.Of("C"), HttpStatusCode.Unauthorized) })
        {
            foreach (var path in new[] { "/v1/batches", "/v1/files", "/v1/models" })
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(path, UriKind.Relative));
                request.Headers.Add("api-key", key);
                using var answer = await client.SendAsync(request);
                answer.StatusCode.ShouldBe(status, path);
            }
        }
    }

    [Fact]
    public async Task Items_unfinished_at_the_deadline_become_errors()
    {
        var queue = await server.RegisterAsync();
        var id = await StartAsync(queue, string.Join('\n', Enumerable.Range(0, 3).Select(n => Line($"r{n}"))));
        var tasks = await TakeAllAsync(queue, 2);
        await CompleteAsync(tasks[0], "{}");

        await server.ExpireBatchAsync(id);

        var done = await EndAsync(id);
        done.GetProperty("status").GetString().ShouldBe("expired");
        Counts(done).ShouldBe((3, 1, 2));
        (await LinesAsync(done.GetProperty("error_file_id").GetString()!))
            .Select(l => l.GetProperty("error").GetProperty("code").GetString()).ShouldBe(["batch_expired", "batch_expired"]);
        (await server.TakeAsync($"{queue}:1")).GetRawText().ShouldBe("{}");
    }

    [Fact]
    public async Task A_purged_queue_does_not_block_its_batch()
    {
        var queue = await server.RegisterAsync();
        var id = await StartAsync(queue, $"{Line("r1")}\n{Line("r2")}");
        await TakeAllAsync(queue, 1);

        using var purged = await AuthServer.SendAsync(server.Http, "POST", $"/queues/{queue}/purge", $"Bearer {TestKeys.Of("boss")}");
        purged.StatusCode.ShouldBeOneOf(HttpStatusCode.OK, HttpStatusCode.NoContent);

        var done = await EndAsync(id);
        (done.GetProperty("status").GetString(), Counts(done)).ShouldBe(("completed", (2, 0, 2)));
    }

    [Fact]
    public async Task Every_item_of_a_large_batch_runs_once()
    {
        const int Lines = 3000;
        var queue = await server.RegisterAsync();
        var id = await StartAsync(queue, string.Join('\n', Enumerable.Range(0, Lines).Select(n => Line($"r{n}"))));
        using var stop = new CancellationTokenSource();
        var workers = Enumerable.Range(0, 4)
            .Select(n => BatchWorker.RunAsync(n % 2 == 0 ? server.Http : server.OtherHttp, queue, stop.Token)).ToList();

        var done = await EndAsync(id, deadline: TimeSpan.FromMinutes(2));
        await stop.CancelAsync();
        await Task.WhenAll(workers);

        Counts(done).ShouldBe((Lines, Lines, 0));
        (await LinesAsync(done.GetProperty("output_file_id").GetString()!)).Select(l => l.GetProperty("custom_id").GetString())
            .ShouldBe(Enumerable.Range(0, Lines).Select(n => $"r{n}"));
    }

    [Fact]
    public async Task A_line_of_20_megabytes_is_an_error_and_the_others_run()
    {
        var queue = await server.RegisterAsync();
        var id = await StartAsync(queue,
            $"{Line("r1")}\n{{\"custom_id\":\"big\",\"body\":{{\"x\":\"{new string('x', 20_000_000)}\"}}}}\n{Line("r2")}\n");
        foreach (var task in await TakeAllAsync(queue, 2))
            await CompleteAsync(task, "{}");

        var done = await EndAsync(id);

        Counts(done).ShouldBe((3, 2, 1));
        (await LinesAsync(done.GetProperty("error_file_id").GetString()!)).ShouldHaveSingleItem().GetProperty("customId").GetString()
            .ShouldBe("1");
    }

    [Fact]
    public async Task An_empty_input_completes_for_Bella_and_fails_for_OpenAI()
    {
        var queue = await server.RegisterAsync();
        var done = await EndAsync(await StartAsync(queue, "\n\n"));
        (done.GetProperty("status").GetString(), Counts(done), done.GetProperty("output_file_id").GetString())
            .ShouldBe(("completed", (0, 0, 0), ""));

        var failed = await EndAsync(await StartAsync(queue, "\n", openAI: true), openAI: true);
        failed.GetProperty("errors").GetProperty("data")[0].GetProperty("code").GetString().ShouldBe("empty_file");
    }
}
