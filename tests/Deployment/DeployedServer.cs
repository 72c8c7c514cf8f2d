using Microsoft.AspNetCore.Http;
using TaskQueue.Contracts;
using TaskQueue.Storage;
using TaskQueue.Tests.EndToEnd;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>A process with an operations port that has produced a value for every metric.</summary>
public sealed class DeployedServer : IAsyncLifetime
{
    private const string Queue = "deployed";

    private readonly HttpClient _operations = new(new SocketsHttpHandler { UseProxy = false });
    private TestDatabase _database = null!;
    private string _rabbitMq = null!;
    private TaskQueueProcess _process = null!;

    /// <summary>The operations port.</summary>
    internal HttpClient Operations => _operations;

    internal MetricsText Metrics { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        _rabbitMq = await TestServers.CreateVirtualHostAsync();
        _operations.BaseAddress = new Uri($"http://127.0.0.1:{TaskQueueProcess.FreePort()}");
        _process = await TaskQueueProcess.StartAsync("api,scheduler,consumers", _database.ConnectionString, _rabbitMq,
            new Dictionary<string, string>
        {
            ["TaskQueue:Operations:Urls"] = _operations.BaseAddress.ToString(), ["TaskQueue:Telemetry:PublicMetrics"] = "true",
            ["TaskQueue:Telemetry:RefreshSeconds"] = "0.1",
            ["TaskQueue:Webhooks:AllowPrivateNetworks"] = "true",
        });
        await WorkAsync(_process.Http);
    }

    public async Task DisposeAsync()
    {
        _operations.Dispose();
        await _process.DisposeAsync();
        await TestServers.DeleteVirtualHostAsync(_rabbitMq);
        await _database.DisposeAsync();
    }

    /// <summary>Tasks that complete, fail, expire, are cancelled and lose their lease, and callbacks that arrive and are refused.</summary>
    private async Task WorkAsync(HttpClient http)
    {
        await using var receiver = await TestReceiver.StartAsync();
        receiver.Answer = (context, _) =>
        {
            context.Response.StatusCode = context.Request.Path == "/gone" ? StatusCodes.Status404NotFound : StatusCodes.Status200OK;
            return Task.CompletedTask;
        };
        var action = await http.SubmitAsync(new { action = "uppercase", data = new { text = "a" } });
        foreach (var callback in new[] { "/here", "/gone" })
            await http.SubmitAsync(new { queue = Queue, action = "called", callback_url = $"{receiver.Url}{callback}" });
        foreach (var task in await http.ClaimAsync(Queue, max: 2))
            await http.TellAsync("report", new { id = task.Id(), attempt = 1, outcome = "completed", result = "{}" });
        await http.SubmitAsync(new { queue = Queue, action = "fails" });
        await http.TellAsync("report",
            new { id = (await http.ClaimAsync(Queue))[0].Id(), attempt = 1, outcome = "failed", error = "e", retryable = false });
        await http.SubmitAsync(new { queue = Queue, action = "lapses" });
        await http.ClaimAsync(Queue, lease_seconds: 1);
        await http.PostAsync($"/tasks/{await http.SubmitAsync(new { queue = Queue, action = "cancelled" })}/cancel", "");
        await http.SubmitAsync(new { queue = "nobody", action = "expires", expires_at = TimeProvider.System.GetUtcNow().AddSeconds(1) });
        await using (var bus = new BusClient(_rabbitMq))
            await (await (await bus.BusAsync()).GetSendEndpoint(Addresses.Submit))
                .Send(new SubmitTasks([new SubmittedTask(Guid.NewGuid(), "no queue", "{}")]));
        await http.TaskAsync(action, "completed");
        await Eventually.UntilAsync(
            async () => IsComplete(Metrics = await MetricsText.ReadAsync(_operations)), TimeSpan.FromSeconds(40), "everything is counted");
    }

    private static bool IsComplete(MetricsText metrics) =>
        metrics.Sum("taskqueue_lease_expirations_total") > 0 && metrics.Sum("taskqueue_tasks_total", ("event", "expired")) > 0
        && metrics.Sum("taskqueue_tasks_total", ("event", "cancelled")) > 0
        && metrics.Sum("taskqueue_callbacks_total", ("outcome", "delivered")) > 0
        && metrics.Sum("taskqueue_callbacks_total", ("outcome", "failed")) > 0 && metrics.Of("taskqueue_canary_age_seconds").Any()
        && metrics.Sum("taskqueue_bus_set_aside_total") > 0;
}
