using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Shouldly;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What a newcomer types at a server: HTTP requests and commands.</summary>
public sealed class FirstHourTests(SqliteStack stack) : IClassFixture<SqliteStack>
{
    private readonly string _queue = $"q{Guid.NewGuid():N}"[..12];

    private HttpClient Http => stack.Http;

    [Theory]
    [InlineData("schedule_at", "scheduled_at")]
    [InlineData("dedup_key", "dedupe_key")]
    [InlineData("delay_seconds", "scheduled_at")]
    [InlineData("maxAttempts", "max_attempts")]
    public async Task F03_A_misspelled_option_of_a_task_is_refused_with_the_nearest_one(string name, string nearest)
    {
        foreach (var queue in new[] { "", $",\"queue\":\"{_queue}\"" })
        {
            var reply = await Http.PostAsync("/tasks", $$"""{"action":"uppercase","{{name}}":1{{queue}}}""");
            reply.Status.ShouldBe(400, reply.Text);
            reply.Json.Text("error").ShouldBe($"{name} is not a member of a task; did you mean {nearest}?");
        }

        var bulk = await Http.PostAsync("/tasks/bulk", $$"""{"tasks":[{"action":"a"},{"action":"a","{{name}}":1}]}""");
        Problems.Expect(bulk, 400, "invalid_task").Text("detail").ShouldBe(
            $"tasks[1]: {name} is not a member of a task; did you mean {nearest}?");
    }

    [Fact]
    public async Task F03_Members_that_resemble_no_option_are_dropped_in_the_original_API_and_refused_elsewhere()
    {
        (await Http.PostAsync("/tasks", """{"action":"uppercase","data":{},"name":"ann","zebra":1,"date":2}""")).Status.ShouldBe(202);
        (await Http.PostAsync("/tasks", $$"""{"action":"a","queue":"{{_queue}}","zebra":1}""")).Json.Text("error")
            .ShouldBe("zebra is not a member of a task");
        (await Http.PostAsync("/tasks", $$"""{"action":"a","queue":"{{_queue}}","payload":1}""")).Json.Text("error")!
            .ShouldContain("did you mean data?");
        Problems.Expect(await Http.PostAsync("/tasks/bulk", """{"tasks":[{"action":"a","zebra":1}]}"""), 400, "invalid_task");
    }

    [Theory]
    [InlineData("/workers/claim", """{"queues":["q"],"worker":"w","wait":5}""", "$.wait is not a member")]
    [InlineData("/workers/claim", """{"queues":["q"],"worker":"w","leaseSeconds":5}""", "did you mean lease_seconds?")]
    [InlineData("/workers/claim", """{"queues":["q"],"worker":"w","info":{"hots":"h"}}""",
        "$.info.hots is not a member of this request; did you mean host?")]
    [InlineData("/workers/heartbeat", """{"tasks":[],"task":[]}""", "task is not a member")]
    [InlineData("/workers/report", """{"tasks":[{"id":"01a20000-0000-4000-8000-000000000001","attempt":1,"outcome":"failed","err":"x"}]}""",
        "$.tasks[0].err is not a member")]
    [InlineData("/workers/report",
        """{"tasks":[{"id":"01a20000-0000-4000-8000-000000000001","attempt":1,"outcome":"failed","error":"x","retriable":false}]}""",
        "did you mean retryable?")]
    [InlineData("/workers/stopped", """{"worker":"w","nmae":"x"}""", "$.nmae is not a member")]
    [InlineData("/keys", """{"nam":"x"}""", "did you mean name?")]
    [InlineData("/operations", """{"action":"cancel","slection":{}}""", "did you mean selection?")]
    [InlineData("/operations", """{"action":"cancel","selection":{"id":[]}}""", "did you mean ids?")]
    public async Task F03_Every_native_route_names_an_unknown_member(string path, string body, string text) =>
        Problems.Expect(await Http.PostAsync(path, body), 400, "invalid_request").Text("detail")!.ShouldContain(text);

    [Theory]
    [InlineData("/queues/a", """{"max_runing":1}""", "did you mean max_running?")]
    [InlineData("/queues/a", """{"rate":{"token":1}}""", "$.rate.token is not a member of this request; did you mean tokens?")]
    [InlineData("/queues/a/schedules/s", """{"corn":"* * * * *"}""", "did you mean cron?")]
    public async Task F03_Settings_name_an_unknown_member(string path, string body, string text) =>
        Problems.Expect(await Http.PutAsync(path, body), 400, "invalid_request").Text("detail")!.ShouldContain(text);

    [Fact]
    public async Task F06_Dead_letters_show_their_name_attempt_and_error_in_lists_and_on_the_command_line()
    {
        var id = await FailAsync("send", "the mailbox is full");

        var listed = (await Http.ReadAsync($"/queues/{_queue}/tasks?list=dead")).Json.GetProperty("tasks")[0];
        var found = (await Http.ReadAsync($"/tasks?queue={_queue}&state=failed")).Json.GetProperty("tasks")[0];
        JsonElement.DeepEquals(listed, found).ShouldBeTrue($"{listed}\n{found}");
        (listed.Id(), listed.Text("name"), listed.Whole("attempt"), listed.Text("error")).ShouldBe((id, "send", 1, "the mailbox is full"));

        var run = (await CommandAsync("tasks", "list", "--queue", _queue, "--state", "failed")).Done();
        run.Row(id.ToString()).ShouldContain("send");
        run.Text.ShouldContain("the mailbox is full");
    }

    [Theory]
    [InlineData("""{ "a" : [1.0, "ü\u00e9"],"b":{}}""")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("false")]
    [InlineData("1e2")]
    [InlineData("null")]
    [InlineData("123456789012345678901234567890.50")]
    [InlineData(null)]
    public async Task F07_Data_reaches_the_worker_byte_for_byte_from_every_source(string? data)
    {
        var member = data is null ? "" : $",\"data\":{data}";
        (await Http.PostAsync("/tasks", $$"""{"queue":"{{_queue}}","action":"a"{{member}}}""")).Status.ShouldBe(202);
        (await Http.PostAsync("/tasks/bulk", $$"""{"tasks":[{"queue":"{{_queue}}","action":"a"{{member}}}]}""")).Status.ShouldBe(202);
        (await Http.PutAsync($"/queues/{_queue}", new { })).Status.ShouldBe(201);
        (await Http.PutAsync($"/queues/{_queue}/schedules/s", $$"""{"cron":"0 0 1 1 *","action":"a"{{member}}}""")).Status.ShouldBe(201);
        (await Http.PostAsync($"/queues/{_queue}/schedules/s/run", "")).Status.ShouldBe(202);

        var reply = await Http.PostAsync("/workers/claim", new { queues = new[] { _queue }, worker = "w", max = 3 });
        var tasks = reply.Json.GetProperty("tasks").EnumerateArray().ToList();
        tasks.Count.ShouldBe(3);
        foreach (var task in tasks)
        {
            var payload = task.GetProperty("payload");
            payload.Names().ShouldBe(["id", "action", "data", "created_at"]);
            (payload.GetProperty("id").GetGuid(), payload.Text("action")).ShouldBe((task.Id(), "a"));
            payload.GetProperty("data").GetRawText().ShouldBe(data ?? "null");
        }
    }

    [Fact]
    public async Task F07_The_queue_of_the_built_in_actions_keeps_the_payload_of_the_tutorial()
    {
        foreach (var data in new[] { "", ",\"data\":{}", ",\"data\":false", ",\"data\":null" })
        {
            var body = $$"""{"action":"zzz"{{data}}}""";
            var task = await Http.TaskAsync(await Http.SubmitAsync(JsonSerializer.Deserialize<JsonElement>(body)), "completed");
            task.GetProperty("payload").GetProperty("data").GetRawText().ShouldBe("[]", body);
        }
    }

    [Fact]
    public async Task F17_The_root_leads_browsers_to_the_console_and_says_what_this_is_to_others()
    {
        var reply = await Http.ReadAsync("/");
        reply.Status.ShouldBe(200);
        reply.Json.Text("service")!.ShouldContain("TaskQueue");
        (await Http.ReadAsync(reply.Json.Text("api")!)).Status.ShouldBe(200);
        (await Http.ReadAsync(reply.Json.Text("console")!)).Text.ShouldContain("<html");
        using var browser = new HttpRequestMessage(HttpMethod.Get, "/") { Headers = { { "Accept", "text/html" } } };
        using var led = await Http.SendAsync(browser);
        led.RequestMessage!.RequestUri!.AbsolutePath.ShouldBe("/console/");
    }

    [Fact]
    public async Task F18_The_document_names_every_operation_and_says_what_a_request_may_omit()
    {
        var document = (await Http.ReadAsync("/openapi/v1.json")).Json;
        var operations = document.GetProperty("paths").EnumerateObject().SelectMany(p => p.Value.EnumerateObject()).Select(o => o.Value)
            .ToList();
        var names = operations.ConvertAll(o => o.Text("operationId"));
        names.Distinct(StringComparer.OrdinalIgnoreCase).Count().ShouldBe(names.Count);
        document.ToString().ShouldNotContain("[\"integer\",\"string\"]");
        document.ToString().ShouldNotContain("\"pattern\":");
        Required(document, "/tasks", "post").ShouldBe(["action"]);
        Required(document, "/queues/{name}", "put").ShouldBeEmpty();
        Required(document, "/v1/batches", "post").ShouldBeEmpty();
    }

    [Fact]
    public async Task F19_A_mistyped_command_option_or_state_gets_a_suggestion()
    {
        (await CommandAsync("queus")).Refused(2, "queus", "Did you mean queues?");
        (await CommandAsync("quarantine", "lst")).Refused(2, "lst", "list");
        (await CommandAsync("enqueue", "q", "a", "--prioritty", "high")).Refused(2, "--prioritty", "Did you mean --priority?");
        (await CommandAsync("zebra")).Refused(2, "zebra", "--help");
        var help = await CommandAsync("help", "enqueue");
        (help.ExitCode, help.Text.Contains("--dedupe-key", StringComparison.Ordinal)).ShouldBe((0, true), help.All);
        (await CommandAsync("help")).Text.ShouldContain("enqueue");
        (await CommandAsync("help", "quues")).Refused(2, "quues", "Did you mean queues?");
        (await CommandAsync("quarantine", "lst", "--help")).Refused(2, "lst");
    }

    [Fact]
    public async Task F19_What_answers_in_place_of_the_API_is_named_and_repeated_requests_say_so()
    {
        await using var other = await TestReceiver.StartAsync();
        other.Answer = (context, _) =>
        {
            var (status, title) = context.Request.Path.Value switch
            {
                "/tasks" => (503, "Busy"),
                "/health/live" => (200, "OK"),
                _ => (404, "Not Found"),
            };
            context.Response.StatusCode = status;
            context.Response.ContentType = "application/json";
            return context.Response.WriteAsync($$"""{"title":"{{title}}"}""");
        };
        var server = new Uri(other.Url);
        (await CommandRun.OfAsync(server, ["queues"])).Refused(1, "another program", other.Url);
        var run = await CommandRun.OfAsync(server, ["enqueue", "q", "a"]);
        (run.ExitCode, run.Errors.Count).ShouldBe((1, 2), run.All);
        run.Errors[0].ShouldContain("retrying");
    }

    [Fact]
    public async Task F22_An_unknown_state_is_an_empty_list_in_the_original_API_and_refused_on_the_command_line()
    {
        (await Http.ReadAsync("/tasks?status=foo")).Text.ShouldBe("""{"tasks":[],"count":0}""");
        (await CommandAsync("tasks", "list", "--state", "foo")).Refused(2, "foo", "completed", "expired");
        (await CommandAsync("search", "--state", "complete")).Refused(2, "did you mean completed?");
        var document = (await Http.ReadAsync("/openapi/v1.json")).Json;
        var status = document.GetProperty("paths").GetProperty("/tasks").GetProperty("get").GetProperty("parameters").EnumerateArray()
            .Single(p => p.Text("name") == "status");
        status.GetProperty("schema").GetProperty("enum").EnumerateArray().Select(v => v.GetString()).ShouldContain("completed");
    }

    [Fact]
    public async Task F23_A_limit_of_nothing_is_shown_as_unlimited()
    {
        (await Http.PutAsync($"/queues/{_queue}", new { })).Status.ShouldBe(201);
        (await CommandAsync("queues", _queue)).Done().Lines.Single(l => l.StartsWith("max running", StringComparison.Ordinal))
            .ShouldContain("unlimited");
    }

    [Fact]
    public async Task F23_Tasks_that_are_not_due_yet_have_a_column()
    {
        await Http.SubmitAsync(new { queue = _queue, action = "a" });
        await Http.SubmitAsync(new { queue = _queue, action = "a", scheduled_at = "2100-01-01T00:00:00Z" });
        var counts = (await Http.ReadAsync($"/queues/{_queue}")).Json.GetProperty("counts");
        (counts.Whole("waiting"), counts.Whole("later")).ShouldBe((2, 1));
        var list = (await CommandAsync("queues")).Done();
        list.Lines[0].ShouldContain("LATER");
        list.Row(_queue)[3..9].ShouldBe(["2", "0", "0", "0", "0", "1"]);
    }

    private static string[] Required(JsonElement document, string path, string method)
    {
        var schema = document.GetProperty("paths").GetProperty(path).GetProperty(method).GetProperty("requestBody").GetProperty("content")
            .GetProperty("application/json").GetProperty("schema");
        if (schema.TryGetProperty("$ref", out var reference))
            schema = document.GetProperty("components").GetProperty("schemas").GetProperty(reference.GetString()!.Split('/')[^1]);
        return schema.TryGetProperty("required", out var required) ? [.. required.EnumerateArray().Select(r => r.GetString()!)] : [];
    }

    private Task<CommandRun> CommandAsync(params string[] args) => CommandRun.OfAsync(Http.BaseAddress!, args);

    private async Task<Guid> FailAsync(string action, string error)
    {
        var id = await Http.SubmitAsync(new { queue = _queue, action, max_attempts = 1 });
        var task = (await Http.ClaimAsync(_queue)).Single();
        (await Http.TellAsync("report", new { id, attempt = task.Whole("attempt"), outcome = "failed", error })).ShouldBe(["ok"]);
        return id;
    }
}

/// <summary>A SQLite file on a disk that is full.</summary>
public sealed class FirstHourFullDiskTests
{
    [Fact]
    public async Task F09_A_full_disk_is_an_outage_and_not_ready()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var url = $"http://127.0.0.1:{TaskQueueProcess.FreePort()}";
        var dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        var program = Path.Combine(AppContext.BaseDirectory, "taskqueue.dll");
        // No file may grow beyond 3 MiB.
        using var server = new Command("bash", ["-c", $"trap '' XFSZ; ulimit -f 3072; exec '{dotnet}' '{program}' --urls {url}"],
            new Dictionary<string, string>
            {
                ["ConnectionStrings__TaskQueue"] = database.ConnectionString, ["DOTNET_EnableWriteXorExecute"] = "0",
            });
        using var http = new HttpClient { BaseAddress = new Uri(url) };
        await Eventually.UntilAsync(() => ReadyAsync(http, 200), TimeSpan.FromSeconds(60), "it is ready");

        HttpResponseMessage? refused = null;
        var body = JsonSerializer.Serialize(new { action = "a", queue = "q", data = new string('x', 500_000) });
        for (var i = 0; i < 50 && refused is null; i++)
        {
            using var content = new StringContent(body);
            var reply = await http.PostAsync("/tasks", content);
            if (!reply.IsSuccessStatusCode)
                refused = reply;
        }

        ((int)refused.ShouldNotBeNull().StatusCode).ShouldBe(503, server.Output);
        refused.Headers.RetryAfter.ShouldNotBeNull();
        (await ReadyAsync(http, 503)).ShouldBeTrue(server.Output);

        // The rest of the log fills; then only a write can tell that it is full.
        refused = null;
        body = """{"action":"a","queue":"q"}""";
        for (var i = 0; i < 2000 && refused is null; i++)
        {
            using var content = new StringContent(body);
            var reply = await http.PostAsync("/tasks", content);
            if (!reply.IsSuccessStatusCode)
                refused = reply;
        }

        ((int)refused.ShouldNotBeNull().StatusCode).ShouldBe(503, server.Output);
        await Eventually.UntilAsync(async () =>
        {
            var ready = await http.ReadAsync("/health/ready");
            ready.Status.ShouldBe(503, ready.Text);
            return ready.Text.Contains("cannot be written", StringComparison.Ordinal);
        }, TimeSpan.FromSeconds(30), "a write is tried");
        server.Lines.ShouldAllBe(l => !l.Contains("answers again", StringComparison.Ordinal));
        server.Lines.Count(l => l.Contains("database does not answer as it should", StringComparison.Ordinal)).ShouldBe(1, server.Output);
    }

    private static async Task<bool> ReadyAsync(HttpClient http, int status)
    {
        try
        {
            return (await http.ReadAsync("/health/ready")).Status == status;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}

/// <summary>A folder of files on a disk that is full.</summary>
public sealed class FirstHourFullFilesTests
{
    [Fact]
    public async Task F09_A_full_disk_of_files_is_no_outage_of_the_database()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString,
            services: services => services.AddSingleton<IFileContents>(new FullDisk()));

        using var content = new MultipartFormDataContent
        {
            { new StringContent("batch"), "purpose" }, { new ByteArrayContent("{}"u8.ToArray()), "file", "a.jsonl" },
        };
        using var reply = await host.Http.PostAsync("/v1/files", content);
        var text = await reply.Content.ReadAsStringAsync();
        ((int)reply.StatusCode).ShouldBe(503, text);
        text.ShouldContain("the file store is unavailable");
        text.ShouldNotContain("database");
        host.Services.GetRequiredService<DependencyHealth>().Database.IsOn.ShouldBeFalse();
        (await host.Http.ReadAsync("/health/ready")).Status.ShouldBe(200);
    }

    private sealed class FullDisk : IFileContents
    {
        public Stream OpenWrite(string id) => new FileStream("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite);

        public Task<Stream> OpenReadAsync(FileRecord file, CancellationToken cancellationToken) =>
            throw new FileNotFoundException(file.Id);

        public Task DeleteAsync(string id) => Task.CompletedTask;

        public IAsyncEnumerable<string> BeforeAsync(DateTime time) => AsyncEnumerable.Empty<string>();
    }
}

/// <summary>A process without the role api.</summary>
public sealed class FirstHourRoleTests
{
    [Fact]
    public async Task F09_F17_F19_A_scheduler_says_what_it_is_and_is_unready_while_PostgreSQL_is_full()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        var rabbitMq = await TestServers.CreateVirtualHostAsync();
        await using (var host = await TestHost.StartAsync(database.ConnectionString, rabbitMq, roles: "scheduler"))
        {
            var about = (await host.Http.ReadAsync("/")).Json;
            about.Text("service")!.ShouldStartWith("TaskQueue");
            about.GetProperty("roles").EnumerateArray().Select(r => r.GetString()).ShouldBe(["scheduler"]);
            (await CommandRun.OfAsync(host.Http.BaseAddress!, ["queues"])).Refused(1, "without the role api", "scheduler");

            var health = host.Services.GetRequiredService<DependencyHealth>();
            health.TryHandle(new PostgresException("too slow", "ERROR", "ERROR", PostgresErrorCodes.QueryCanceled)).ShouldBeTrue();
            (await host.Http.ReadAsync("/health/ready")).Status.ShouldBe(200, "one slow statement");
            health.TryHandle(new PostgresException("disk full", "ERROR", "ERROR", PostgresErrorCodes.DiskFull)).ShouldBeTrue();
            var full = await host.Http.ReadAsync("/health/ready");
            (full.Status, full.Text.Contains("refused to write", StringComparison.Ordinal)).ShouldBe((503, true), full.Text);
            await Eventually.UntilAsync(async () => (await host.Http.ReadAsync("/health/ready")).Status == 200, TimeSpan.FromSeconds(30),
                "a blip ends");
        }

        await TestServers.DeleteVirtualHostAsync(rabbitMq);
    }
}
