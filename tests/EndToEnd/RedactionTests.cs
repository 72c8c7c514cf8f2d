using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What is redacted, and for whom.</summary>
public sealed class RedactionTests
{
    [Fact]
    public async Task Readers_see_redacted_values_while_workers_and_administrators_see_all()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var settings = AuthServer.Settings();
        settings["TaskQueue:Redaction:Members:0"] = "pin";
        settings["TaskQueue:Auth:ApiKeys:0:Scopes:1"] = "read";
        settings["TaskQueue:Auth:ApiKeys:0:Scopes:2"] = "work";
        settings["TaskQueue:Auth:ApiKeys:0:Queues:0"] = "*";
        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: settings);
        var native = JsonDocument.Parse(await TextAsync(host, "POST", "/tasks", "enqueue",
            """{"action":"a","queue":"q","data":{"pin":"4711"}}""")).RootElement.Id();
        await TextAsync(host, "POST", "/v1/queue/register", "enqueue", """{"queue":"b","endpoint":"/x"}""");
        var bella = JsonDocument.Parse(await TextAsync(host, "POST", "/v1/queue/put", "enqueue",
            """{"queue":"b","endpoint":"/x","level":1,"data":{"pin":"4711"}}""")).RootElement.Text("data");
        await TextAsync(host, "POST", "/moab/CreateQueue", "admin", """{"name":"m","keepalive_timeout_in_seconds":5}""");
        var moab = await TextAsync(host, "POST", "/moab/Enqueue", "enqueue",
            """{"queue_name":"m","entries":[{"payload":"{\"pin\":\"4711\"}"}]}""");
        moab.ShouldContain("4711");
        var moabId = JsonDocument.Parse(moab).RootElement.GetProperty("tasks")[0].Text("id");

        foreach (var (method, path, body) in new[]
        {
            ("GET", "/tasks", ""), ("GET", $"/tasks/{native}", ""), ("GET", $"/v1/queue/{bella}", ""),
            ("POST", "/moab/GetTask", $$"""{"queue_name":"m","task_id":"{{moabId}}"}"""),
            ("POST", "/moab/ListTasks", """{"queue_name":"m","state":"ENQUEUED"}"""),
        })
        {
            var seen = await TextAsync(host, method, path, "enqueue", body);
            seen.ShouldContain("***", Case.Sensitive, path);
            seen.ShouldNotContain("4711", Case.Sensitive, path);
            (await TextAsync(host, method, path, "admin", body)).ShouldContain("4711", Case.Sensitive, path);
        }

        (await TextAsync(host, "GET", "/queues/q/tasks", "enqueue", "")).ShouldNotContain("4711"); // it shows no payload to anybody
        (await TextAsync(host, "POST", "/workers/claim", "enqueue", """{"queues":["q"],"worker":"w"}""")).ShouldContain("4711");
        (await TextAsync(host, "POST", "/v1/queue/take", "enqueue", """{"queues":["b:1"],"size":1}""")).ShouldContain("4711");
        (await TextAsync(host, "POST", "/moab/Dequeue", "enqueue", """{"queue_name":"m"}""")).ShouldContain("4711");
    }

    /// <summary>Wherever a caller may put a secret, no reader sees it.</summary>
    [Theory]
    [InlineData("pin")]
    [InlineData("*")]
    public async Task No_route_shows_a_hidden_value_to_a_reader(string member)
    {
        const string Secret = "secret-5b2e9d";
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var settings = AuthServer.Settings();
        settings["TaskQueue:Redaction:Members:0"] = member;
        settings["TaskQueue:Auth:ApiKeys:0:Scopes:1"] = "read";
        settings["TaskQueue:Auth:ApiKeys:0:Scopes:2"] = "work";
        settings["TaskQueue:Auth:ApiKeys:0:Queues:0"] = "*";
        settings["TaskQueue:Auth:ApiKeys:0:Scopes:3"] = "admin:m"; // sees every tenant's tasks there, and is not an operator
        settings["TaskQueue:Auth:ApiKeys:0:Scopes:4"] = "admin:q";
        settings["TaskQueue:Webhooks:AllowPrivateNetworks"] = "true";
        settings["TaskQueue:Agent:Queue"] = "agent";
        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: settings);
        var values = await FillAsync(host, Secret);
        using var listening = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var stream = await AuthServer.SendAsync(host.Http, "GET", "/events?queue=q", "Bearer key-enqueue"); // before it fails
        var events = EventsAsync(stream, listening.Token);

        await FailAsync(host, "q", Secret);
        foreach (var path in Paths(host).SelectMany(route => Fill(route, values)).Distinct(StringComparer.Ordinal))
        {
            using var answer = await AuthServer.SendAsync(host.Http, "GET", path, "Bearer key-enqueue");
            if (answer.IsSuccessStatusCode)
                (await answer.Content.ReadAsStringAsync()).ShouldNotContain(Secret, Case.Sensitive, path);
        }

        foreach (var schedule in new[] { "/queues/q/schedules/s", "/queues/m/schedules/s" })
        {
            foreach (var verb in new[] { "pause", "resume" })
                (await TextAsync(host, "POST", $"{schedule}/{verb}", "enqueue", "")).ShouldNotContain(Secret, Case.Sensitive, verb);
        }

        foreach (var (rpc, body) in Rpcs(values))
            (await TextAsync(host, "POST", $"/moab/{rpc}", "enqueue", body)).ShouldNotContain(Secret, Case.Sensitive, rpc);
        var heard = await events;
        heard.ShouldContain("event: failed");
        heard.ShouldNotContain(Secret);
        foreach (var path in values["shown"])
            (await TextAsync(host, "GET", path, "admin", "")).ShouldContain(Secret, Case.Sensitive, path);
    }

    /// <summary>Puts the secret everywhere, and returns the values for route parameters.</summary>
    private static async Task<Dictionary<string, List<string>>> FillAsync(TestHost host, string secret)
    {
        var json = $$"""{"pin":"{{secret}}"}""";
        await TextAsync(host, "PUT", "/queues/q", "admin", $$"""{"description":"pin={{secret}}"}""");
        await TextAsync(host, "PUT", "/queues/q/schedules/s", "admin",
            $$"""{"cron":"0 0 1 1 *","description":"pin: {{secret}}","data":{{json}}}""");
        await TextAsync(host, "POST", "/moab/CreateQueue", "admin",
            $$"""{"name":"m","keepalive_timeout_in_seconds":5,"description":"pin={{secret}}"}""");
        await TextAsync(host, "POST", "/moab/CreateSchedule", "admin",
            $$"""
            {"queue_name":"m","name":"s","cron":"0 0 1 1 *","timezone":"UTC","description":"pin={{secret}}",
             "payload":"{\"pin\":\"{{secret}}\"}"}
            """);
        var moab = Json(await TextAsync(host, "POST", "/moab/Enqueue", "enqueue",
            $$$"""{"queue_name":"m","entries":[{"payload":"{\"pin\":\"{{{secret}}}\"}"}]}""")).GetProperty("tasks")[0].Text("id")!;
        await TextAsync(host, "POST", "/v1/queue/register", "enqueue", """{"queue":"b","endpoint":"/v1/chat/completions"}""");
        var bella = Json(await TextAsync(host, "POST", "/v1/queue/put", "enqueue",
            $$"""{"queue":"b","endpoint":"/x","level":1,"data":{{json}},"callback_url":"http://127.0.0.1:1/x?pin={{secret}}"}"""))
            .Text("data")!;
        await TextAsync(host, "POST", "/v1/queue/take", "enqueue", """{"queues":["b:1"],"size":1}""");
        await TextAsync(host, "POST", $"/v1/queue/{bella}/complete", "enqueue", json);
        var agent = Json(await TextAsync(host, "POST", "/agent/process-async", "enqueue",
            $$"""{"query":"x","metadata":{{json}}}""")).Text("task_id")!;
        var failed = await FailAsync(host, "q", secret);
        var done = Json(await TextAsync(host, "POST", "/tasks", "enqueue", $$"""{"action":"a","queue":"done","data":{{json}}}""")).Id();
        var attempt = Json(await TextAsync(host, "POST", "/workers/claim", "enqueue",
            """{"queues":["done"],"worker":"w"}""")).GetProperty("tasks")[0].Whole("attempt");
        await TextAsync(host, "POST", "/workers/heartbeat", "enqueue",
            $$"""{"tasks":[{"id":"{{done}}","attempt":{{attempt}},"progress":{{json}}}]}""");
        await TextAsync(host, "POST", "/workers/report", "enqueue",
            $$"""{"tasks":[{"id":"{{done}}","attempt":{{attempt}},"outcome":"completed","result":{{json}}}]}""");
        var (file, batch) = await BatchAsync(host, secret);
        return new Dictionary<string, List<string>>
        {
            ["id"] = [failed.ToString(), done.ToString(), agent, batch, file, bella], ["taskId"] = [bella],
            ["name"] = ["q", "s", "m", "b"], ["queue"] = ["q", "m", "b", "b:1"],
            ["moab"] = [moab],
            ["shown"] = [$"/tasks/{failed}", $"/tasks/{done}", "/queues/q", "/queues", "/queues/q/schedules", $"/v1/queue/{bella}",
                $"/v1/batches/{batch}"],
        };
    }

    /// <summary>A task that fails with an error that quotes its payload, as plain text and as JSON.</summary>
    private static async Task<Guid> FailAsync(TestHost host, string queue, string secret)
    {
        var id = Json(await TextAsync(host, "POST", "/tasks", "enqueue",
            $$$"""{"action":"a","queue":"{{{queue}}}","data":{"pin":"{{{secret}}}"}}""")).Id();
        var attempt = Json(await TextAsync(host, "POST", "/workers/claim", "enqueue",
            $$"""{"queues":["{{queue}}"],"worker":"w"}""")).GetProperty("tasks")[0].Whole("attempt");
        await TextAsync(host, "POST", "/workers/report", "enqueue",
            $$"""{"tasks":[{"id":"{{id}}","attempt":{{attempt}},"outcome":"failed","retryable":false"""
            + $$""","error":"{{secret}} is wrong in {\"pin\":\"{{secret}}\"} and pin={{secret}}x"}]}""");
        return id;
    }

    private static async Task<(string File, string Batch)> BatchAsync(TestHost host, string secret)
    {
        var line = """{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"b"}}""";
        using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" },
            { new ByteArrayContent(Encoding.UTF8.GetBytes(line)), "file", "in.jsonl" } };
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("/v1/files", UriKind.Relative)) { Content = form };
        request.Headers.Add("Authorization", $"Bearer {TestKeys.Of("key-enqueue")}");
        using var uploaded = await host.Http.SendAsync(request);
        var file = Json(await uploaded.Content.ReadAsStringAsync()).Text("id")!;
        var body = $$$"""{"input_file_id":"{{{file}}}","endpoint":"/v1/chat/completions","metadata":"""
            + $$$"""{"pin":"{{{secret}}}","note":"pin={{{secret}}}"}}""";
        return (file, Json(await TextAsync(host, "POST", "/v1/batches", "enqueue", body)).Text("id")!);
    }

    /// <summary>The templates of all read routes, except for the endless streams.</summary>
    private static IEnumerable<string> Paths(TestHost host) =>
        host.Services.GetServices<EndpointDataSource>().SelectMany(s => s.Endpoints).OfType<RouteEndpoint>()
            .Where(e => e.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods.Contains("GET") == true)
            .Select(e => $"/{e.RoutePattern.RawText!.Trim('/')}")
            .Where(path => path is not ("/events" or "/console/events") && !path.StartsWith("/moab", StringComparison.Ordinal));

    private static IEnumerable<string> Fill(string route, Dictionary<string, List<string>> values)
    {
        var begin = route.IndexOf('{', StringComparison.Ordinal);
        if (begin < 0)
            return [route];
        var end = route.IndexOf('}', begin);
        var name = route[(begin + 1)..end].Split(':')[0].TrimStart('*');
        return values.GetValueOrDefault(name, ["q"])
            .SelectMany(v => Fill($"{route[..begin]}{Uri.EscapeDataString(v)}{route[(end + 1)..]}", values));
    }

    private static IEnumerable<(string Rpc, string Body)> Rpcs(Dictionary<string, List<string>> values) =>
    [
        ("GetTask", $$"""{"queue_name":"m","task_id":"{{values["moab"][0]}}"}"""),
        ("ListTasks", """{"queue_name":"m","state":"ENQUEUED"}"""),
        ("GetQueue", """{"queue_name":"m"}"""), ("GetQueue", """{"queue_name":"q"}"""), ("ListQueues", "{}"),
        ("GetSchedule", """{"queue_name":"m","schedule_name":"s"}"""), ("ListSchedules", """{"queue_name":"m"}"""),
    ];

    /// <summary>What a reader receives until a task has failed.</summary>
    private static async Task<string> EventsAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(cancellationToken));
        var heard = new StringBuilder();
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            heard.AppendLine(line);
            if (line.StartsWith("data:", StringComparison.Ordinal) && heard.ToString().Contains("event: failed", StringComparison.Ordinal))
                break;
        }

        return heard.ToString();
    }

    private static JsonElement Json(string text) => JsonSerializer.Deserialize<JsonElement>(text);

    private static async Task<string> TextAsync(TestHost host, string method, string path, string key, string body)
    {
        using var answer = await AuthServer.SendAsync(host.Http, method, path, $"Bearer key-{key}", body);
        var text = await answer.Content.ReadAsStringAsync();
        answer.IsSuccessStatusCode.ShouldBeTrue($"{path}: {text}");
        return text;
    }
}
