using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Memory;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What callers may consume of a process: memory, time for a body, requests without a key.</summary>
public sealed class LimitsTests : IAsyncLifetime
{
    private TestDatabase _database = null!;
    private TestHost? _host;

    public async Task InitializeAsync() => _database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);

    public async Task DisposeAsync()
    {
        if (_host is not null)
            await _host.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task The_OpenAPI_document_is_generated_once_and_supports_conditional_requests()
    {
        var http = await StartAsync();
        using var first = await http.GetAsync("/openapi/v1.json");
        var tag = first.Headers.ETag.ShouldNotBeNull();
        first.Headers.CacheControl!.NoCache.ShouldBeTrue();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/openapi/v1.json") { Headers = { IfNoneMatch = { tag } } };
        using var second = await http.SendAsync(request);
        second.StatusCode.ShouldBe(HttpStatusCode.NotModified);
        (await second.Content.ReadAsByteArrayAsync()).ShouldBeEmpty();
        using var third = await http.GetAsync("/openapi/v1.json");
        (await third.Content.ReadAsStringAsync()).ShouldBe(await first.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task An_address_that_floods_open_routes_is_refused_while_tasks_are_still_accepted()
    {
        var http = await StartAsync(("TaskQueue:Limits:OpenPerSecond", "5"));
        (await http.ReadAsync("/health/live")).Status.ShouldBe(200); // the first request of a server is slow
        var start = Stopwatch.GetTimestamp();
        var answers = await Task.WhenAll(Enumerable.Range(0, 100)
            .Select(n => http.GetAsync(n % 2 == 0 ? "/openapi/v1.json" : "/nothing/here")));
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;

        var refused = answers.Where(a => a.StatusCode == HttpStatusCode.TooManyRequests).ToList();
        refused.ShouldNotBeEmpty();
        (answers.Length - refused.Count).ShouldBeInRange(1, 10 + (int)(5 * (seconds + 1))); // two seconds' worth at once
        refused.ShouldAllBe(a => a.Headers.RetryAfter!.Delta == TimeSpan.FromSeconds(1));
        await http.SubmitAsync(new { action = "a", queue = "q" });
    }

    [Theory]
    [InlineData("/tasks", "application/json", "\"error\"")]
    [InlineData("/tasks/bulk", "application/problem+json", "\"too_slow\"")]
    [InlineData("/v1/files", "application/json", "\"invalid_request_error\"")]
    public async Task A_body_that_slows_to_a_trickle_is_aborted(string path, string type, string words)
    {
        var http = await StartAsync(("TaskQueue:Limits:MinRequestBytesPerSecond", "1000"));
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, http.BaseAddress!.Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 900000\r\n\r\n"
            + (path == "/v1/files" ? "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n"
                : "{\"tasks\":[{\"action\":\"") + new string('x', 300_000)));
        var reading = ReadAsync(stream, words);
        await Eventually.UntilAsync(() => TrickleAsync(stream, reading), TestHttp.Patience, "the server ends it");
        var text = await reading;
        text.ShouldStartWith("HTTP/1.1 408");
        text.ShouldContain("Connection: close");
        text.ShouldContain(type);
        if (text.Contains('{', StringComparison.Ordinal)) // a client that is still sending may lose the rest of the response
            text.ShouldContain(words);
        await Eventually.UntilAsync(() => Task.FromResult(Budget.Bodies.Used == 0), TestHttp.Patience, "nothing is held for it");
    }

    [Theory]
    [InlineData("Content-Length: 134217729")] // refused at once, and more than the web server would read
    [InlineData("Content-Length: 4000000")]
    [InlineData("Transfer-Encoding: chunked")] // refused in the middle
    public async Task A_client_that_still_sends_a_refused_body_gets_the_response(string header)
    {
        var http = await StartAsync();
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, http.BaseAddress!.Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"POST /tasks HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n"));
        var isChunked = header.Contains("chunked", StringComparison.Ordinal);
        var (body, part) = (header.EndsWith('9') ? 134_217_729 : 4_000_000, 500_000);

        // Longer than the five seconds that Kestrel itself would read on.
        using var pace = new PeriodicTimer(TimeSpan.FromSeconds(1));
        for (var sent = 0; sent < body;)
        {
            var bytes = new byte[Math.Min(sent < 7 * part ? part : body, body - sent)];
            await stream.WriteAsync(isChunked ? [.. Encoding.ASCII.GetBytes($"{bytes.Length:x}\r\n"), .. bytes, .. "\r\n"u8] : bytes);
            sent += bytes.Length;
            if (sent <= 7 * part)
                await pace.WaitForNextTickAsync();
        }

        await stream.WriteAsync(isChunked ? "0\r\n\r\n"u8.ToArray() : []);
        await stream.WriteAsync(Encoding.ASCII.GetBytes("GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        var text = await new StreamReader(stream).ReadToEndAsync();
        text.ShouldStartWith("HTTP/1.1 413");
        text.ShouldContain("HTTP/1.1 200"); // the connection is as good as before
    }

    [Theory]
    [InlineData("/tasks", "{\"error\":")]
    [InlineData("/tasks/bulk", "\"code\":\"overloaded\"")]
    [InlineData("/workers/report", "\"code\":\"overloaded\"")]
    [InlineData("/workers/claim", "\"code\":\"overloaded\"")]
    [InlineData("/v1/queue/put", "\"internal_server_error\"")]
    [InlineData("/moab/Enqueue", "\"UNAVAILABLE\"")]
    [InlineData("/agent/process-async", "\"Task queue not available\"")]
    public async Task Without_memory_a_request_is_refused_after_its_wait_in_its_APIs_format(string path, string words)
    {
        var http = await StartAsync(("TaskQueue:Limits:MemoryWaitSeconds", "0.05"));
        using (await Budget.Small.ReserveAsync(Budget.Small.Size, default))
        using (await Budget.Bodies.ReserveAsync(Budget.Bodies.Size, default))
        {
            foreach (var body in new[] { "{\"tasks\":[]}", $"{{\"tasks\":[],\"more\":\"{new string('x', 100_000)}\"}}" })
            {
                using var answer = await http.PostAsync(path, new StringContent(body));
                var text = await answer.Content.ReadAsStringAsync();
                answer.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable, text);
                answer.Headers.RetryAfter!.Delta.ShouldBe(TimeSpan.FromSeconds(1));
                text.ShouldContain(words);
            }
        }

        Budget.Small.Refused.ShouldBe(1);
        (Budget.Small.Used, Budget.Bodies.Used).ShouldBe((0, 0));
        (await MetricsText.ReadAsync(http)).Sum("taskqueue_memory_refused_total", ("part", "small")).ShouldBe(1);
    }

    [Fact]
    public async Task A_body_larger_than_the_memory_budget_is_413_with_advice()
    {
        var http = await StartAsync(("TaskQueue:Limits:MemoryBytes", "16777216"));

        Problems.Expect(await http.PostAsync("/tasks/bulk", $"{{\"tasks\":[{new string(' ', 10_000_000)}]}}"), 413, "too_large");
        await http.SubmitManyAsync([new { action = "a", queue = "q", data = new string('x', 900_000) }]);
    }

    [Fact]
    public async Task Pages_end_at_a_byte_limit_and_their_cursors_continue()
    {
        var http = await StartAsync(("TaskQueue:Limits:MaxAnswerBytes", "65536"));
        var ids = await http.SubmitManyAsync(Enumerable.Range(0, 10)
            .Select(n => (object)new { action = "a", queue = "q", data = new string('x', n == 4 ? 200_000 : 20_000) }));

        foreach (var list in new[] { "live", "waiting" })
        {
            var (found, after, sizes) = (new List<Guid>(), "", new List<int>());
            do
            {
                var page = (await http.ReadAsync($"/queues/q/tasks?list={list}&limit=7{after}")).Json;
                found.AddRange(page.GetProperty("tasks").EnumerateArray().Select(t => t.Id()));
                sizes.Add(page.GetProperty("tasks").GetArrayLength());
                after = page.Text("next") is { } next ? $"&after={next}" : "";
            }
            while (after.Length > 0);

            found.ShouldBe(ids);
            sizes.ShouldBe([3, 1, 1, 3, 2]);
        }

        (await http.ReadAsync("/tasks")).Json.GetProperty("tasks").EnumerateArray().Select(t => t.Id()).Order().ShouldBe(ids[7..].Order());
    }

    [Fact]
    public async Task A_waiting_caller_holds_no_memory_and_gets_a_large_result()
    {
        var http = await StartAsync();
        (await http.PostAsync("/v1/queue/register", new { queue = "b", endpoint = "e" })).Status.ShouldBe(200);
        var put = http.PostAsync("/v1/queue/put",
            new { queue = "b", endpoint = "e", response_mode = "blocking", data = new { text = new string('x', 500_000) } });
        await Eventually.UntilAsync(
            async () => (await http.ReadAsync("/v1/queue/b:0/stats")).Json.GetProperty("total_put_cnt").GetInt32() == 1,
            TestHttp.Patience, "the task is there");
        await Eventually.UntilAsync(
            () => Task.FromResult(Budget is { Bodies.Used: 0, Commands.Used: 0 }), TestHttp.Patience, "its caller holds nothing");
        put.IsCompleted.ShouldBeFalse();

        var taken = (await http.PostAsync("/v1/queue/take", "{\"queues\": [\"b:0\"], \"size\": 1}")).Json.GetProperty("b:0")[0];
        var result = new string('y', 300_000);
        (await http.PostAsync($"/v1/queue/{taken.Text("task_id")}/complete", new { status_code = 200, body = new { result } }))
            .Status.ShouldBe(200);

        (await put).Json.Text("result").ShouldBe(result);
        await Eventually.UntilAsync(() => Task.FromResult(Budget.Answers.Used == 0), TestHttp.Patience, "its answer is written");
    }

    [Theory]
    [InlineData("TaskQueue:Limits:MemoryBytes", "1000", "MemoryBytes must be 16777216")]
    [InlineData("TaskQueue:Limits:MaxAnswerBytes", "1", "MaxAnswerBytes must be 65536")]
    [InlineData("TaskQueue:Limits:MemoryWaitSeconds", "-1", "MemoryWaitSeconds must be 0 to 60")]
    [InlineData("TaskQueue:Limits:MaxConnections", "-1", "MaxConnections must be 1 to")]
    [InlineData("TaskQueue:Limits:MinRequestBytesPerSecond", "-1", "MinRequestBytesPerSecond must be 1 to")]
    [InlineData("TaskQueue:Limits:MaxHeaders", "1", "MaxHeaders must be 10 to 1000")]
    [InlineData("TaskQueue:MaxWaitingBytes", "8000000000", "may be at most half")]
    public async Task An_impossible_limit_stops_the_start(string key, string value, string words) =>
        (await Should.ThrowAsync<Exception>(StartAsync((key, value), ("TaskQueue:Limits:MaxConcurrentRequests", "0"))))
            .Message.ShouldContain(words);

    private static async Task<bool> TrickleAsync(NetworkStream stream, Task reading)
    {
        try
        {
            await stream.WriteAsync("xxxxxxxxxx"u8.ToArray());
        }
        catch (IOException)
        {
            // The server has closed the connection: its response can still be read.
        }

        return reading.IsCompleted;
    }

    private static async Task<string> ReadAsync(NetworkStream stream, string last)
    {
        var (text, buffer) = (new StringBuilder(), new byte[4096]);
        try
        {
            while (!text.ToString().Contains(last, StringComparison.Ordinal) && await stream.ReadAsync(buffer) is var read and > 0)
                text.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }
        catch (IOException)
        {
            // The server has closed the connection while we were sending.
        }

        return text.ToString();
    }

    private MemoryBudget Budget => _host!.Services.GetRequiredService<MemoryBudget>();

    private async Task<HttpClient> StartAsync(params (string Key, string Value)[] settings)
    {
        var all = settings.ToDictionary(s => s.Key, s => (string?)s.Value);
        all["Logging:LogLevel:Default"] = "None";
        _host = await TestHost.StartAsync(_database.ConnectionString, settings: all);
        return _host.Http;
    }
}
