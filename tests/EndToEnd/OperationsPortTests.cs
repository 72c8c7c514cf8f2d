using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>TaskQueue:Operations:Urls: a separate port for operators and probes. Real processes.</summary>
public sealed class OperationsPortTests : ProcessTests
{
    private static readonly string[] Health = ["/health/live", "/health/ready"];
    private static readonly string[] Figures = ["/metrics", "/scaling/tasks"];
    private static readonly string[] Others = ["/tasks", "/queues", "/openapi/v1.json", "/nothing", "/"];

    [Fact]
    public async Task Every_role_serves_only_operations_routes_on_the_operations_port() =>
        await Task.WhenAll("api,scheduler,consumers".Split(',').Select(async role =>
        {
            var port = TaskQueueProcess.FreePort();
            await using var process = await StartAsync(role, port);
            using var operations = Client(port);

            foreach (var path in Health.Concat(Figures))
                (await operations.ReadAsync(path)).Status.ShouldBe(200, $"{role} {path}");
            foreach (var path in Others)
                Unknown(await operations.ReadAsync(path));
            var batches = await operations.ReadAsync("/v1/batches");
            (batches.Status, batches.Json.GetProperty("error").Text("code")).ShouldBe((404, "not_found"));
            Unknown(await operations.PostAsync("/tasks", new { action = "a" }));

            foreach (var path in Health)
                (await process.Http.ReadAsync(path)).Status.ShouldBe(200, $"{role} {path}");
            foreach (var path in Figures)
                Unknown(await process.Http.ReadAsync(path));
            (await process.Http.ReadAsync("/tasks")).Status.ShouldBe(role == "api" ? 200 : 404);
            process.Output.ShouldContain($"http://127.0.0.1:{port}");
        }));

    [Fact]
    public async Task Request_limits_never_refuse_a_probe()
    {
        var port = TaskQueueProcess.FreePort();
        await using var process = await StartAsync("api", port, ("TaskQueue:Limits:PerSecond", "1"),
            ("TaskQueue:Limits:MaxConcurrentRequests", "1"));
        using var operations = Client(port);

        var answers = await Task.WhenAll(Enumerable.Repeat(Health.Concat(Figures), 10).SelectMany(paths => paths)
            .Select(operations.ReadAsync));
        answers.ShouldAllBe(a => a.Status == 200);
        var others = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => process.Http.ReadAsync("/queues")));
        others.ShouldContain(a => a.Status == 429 || a.Status == 503, "the limits do count elsewhere");
    }

    private static void Unknown(Reply reply)
    {
        (reply.Status, reply.ContentType).ShouldBe((404, "application/problem+json"), reply.Text);
        reply.Json.Text("code").ShouldBe("not_found");
    }

    private Task<TaskQueueProcess> StartAsync(string role, int port, params (string Key, string Value)[] settings) =>
        TaskQueueProcess.StartAsync(role, Database.ConnectionString, RabbitMq,
            new Dictionary<string, string>(settings.Select(s => KeyValuePair.Create(s.Key, s.Value)))
        {
            ["TaskQueue:Operations:Urls"] = $"http://127.0.0.1:{port}",
        });

    private static HttpClient Client(int port) =>
        new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
}
