using System.Diagnostics;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Trace;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What telemetry a process sends, and where.</summary>
public sealed class TelemetryTests(SqliteStack stack) : IClassFixture<SqliteStack>
{
    [Fact]
    public void Nothing_is_traced_or_sent_where_no_collector_is_named() =>
        stack.Host.Services.GetService<TracerProvider>().ShouldBeNull();

    [Fact]
    public async Task A_configured_collector_gets_traces_metrics_and_logs()
    {
        await using var collector = await TestReceiver.StartAsync();
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var process = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database.ConnectionString, rabbitMq: null,
            new Dictionary<string, string>
        {
            ["TaskQueue:Telemetry:Otlp"] = collector.Url,
            ["TaskQueue:Telemetry:Protocol"] = "http/protobuf",
            ["OTEL_METRIC_EXPORT_INTERVAL"] = "200",
            ["OTEL_BSP_SCHEDULE_DELAY"] = "200",
            ["OTEL_BLRP_SCHEDULE_DELAY"] = "200",
        });
        await process.Http.SubmitAsync(new { action = "uppercase", data = new { text = "a" } });

        foreach (var (path, word) in new[] { ("/v1/traces", "process tasks"), ("/v1/metrics", "taskqueue.tasks"),
            ("/v1/logs", "TaskQueue roles") })
        {
            await Eventually.UntilAsync(() =>
                Task.FromResult(collector.All.Any(r => r.Path == path && r.Body.Contains(word, StringComparison.Ordinal))),
                    TestHttp.Patience, $"{path} got '{word}'");
            collector.All.First(r => r.Path == path).Body.ShouldContain("taskqueue.roles");
        }
    }

    [Fact]
    public async Task Without_a_collector_a_task_keeps_its_requests_trace_and_starts_none()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var process = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database.ConnectionString, rabbitMq: null);
        var parent = $"00-{ActivityTraceId.CreateRandom()}-{ActivitySpanId.CreateRandom()}-01";
        using var request = new HttpRequestMessage(HttpMethod.Post, "/tasks")
        {
            Content = new StringContent("""{"queue":"q","action":"a"}""", Encoding.UTF8, "application/json"),
            Headers = { { "traceparent", parent }, { "tracestate", "vendor=1" } },
        };
        (await process.Http.SendAsync(request)).IsSuccessStatusCode.ShouldBeTrue();
        var task = (await process.Http.ClaimAsync("q")).ShouldHaveSingleItem();
        task.Text("traceparent").ShouldBe(parent);
        task.Text("tracestate").ShouldBe("vendor=1");

        await process.Http.SubmitAsync(new { queue = "q", action = "a" });
        (await process.Http.ClaimAsync("q")).ShouldHaveSingleItem().Text("traceparent").ShouldBeNull();
        await using var db = database.CreateContext();
        db.Tasks.Count(t => t.Headers == null).ShouldBe(1);
    }

    [Theory]
    [InlineData("TaskQueue:Telemetry:Otlp", "localhost:4317")]
    [InlineData("TaskQueue:Telemetry:Otlp", "collector")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense")]
    [InlineData("TaskQueue:Telemetry:Protocol", "udp")]
    [InlineData("TaskQueue:Telemetry:MaxQueues", "0")]
    [InlineData("TaskQueue:Telemetry:RefreshSeconds", "0")]
    public async Task An_invalid_setting_stops_the_start_and_is_named(string key, string value)
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var (code, output) = await TaskQueueProcess.RunAsync(["--urls", "http://127.0.0.1:0"], new Dictionary<string, string>
        {
            ["ConnectionStrings__TaskQueue"] = database.ConnectionString,
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = key.EndsWith("Protocol", StringComparison.Ordinal) ? "http://127.0.0.1:1" : "",
            [key.Replace(":", "__", StringComparison.Ordinal)] = value,
        });

        code.ShouldBe(1, output);
        output.ShouldContain(key[(key.LastIndexOf(':') + 1)..]);
    }

    [Fact]
    public async Task Logs_can_be_JSON_and_say_which_attempt_they_are_about()
    {
        await using var upstream = await TestUpstream.StartAsync();
        upstream.Next(500, "{}");
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var process = await TaskQueueProcess.StartAsync("api,scheduler,consumers", database.ConnectionString, rabbitMq: null,
            new Dictionary<string, string>
        {
            ["Logging:Console:FormatterName"] = "json",
            ["TaskQueue:Upstreams:0:Endpoint"] = "/v1/x",
            ["TaskQueue:Upstreams:0:BaseUrl"] = $"{upstream.Address}v1",
        });
        (await process.Http.PostAsync("/v1/queue/put", """{"queue":"v1-x","endpoint":"/v1/x","level":1,"data":{}}""")).Status.ShouldBe(200);

        string? line = null;
        await Eventually.UntilAsync(
            () => Task.FromResult(
                (line = process.Lines.FirstOrDefault(l => l.Contains("it is sent again", StringComparison.Ordinal))) is not null),
            TestHttp.Patience, "the retry is logged");
        var scopes = System.Text.Json.JsonSerializer.Deserialize<System.Text.Json.JsonElement>(line!).GetProperty("Scopes").EnumerateArray()
            .ToList();
        scopes.ShouldContain(s => s.GetRawText().Contains("\"TaskId\":", StringComparison.Ordinal)
            && s.GetRawText().Contains("\"Attempt\":1", StringComparison.Ordinal));
    }
}
