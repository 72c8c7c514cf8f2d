using System.Text.RegularExpressions;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>/metrics of real processes: each counts what it has committed itself.</summary>
public abstract partial class MetricsTests(MetricsStack stack)
{
    private string Queue { get; } = $"m{Guid.NewGuid():N}";

    private HttpClient Http => stack.Http;

    [Fact]
    public async Task Counters_match_the_work_done()
    {
        await Http.SubmitAsync(new { queue = Queue, action = "first" });
        await stack.OtherHttp.SubmitManyAsync(Enumerable.Range(0, 4)
            .Select(n => (object)new { queue = Queue, action = "many", dedupe_key = $"{n % 3}" }));
        var tasks = await Http.ClaimAsync(Queue, max: 10);
        tasks.Count.ShouldBe(4);
        await stack.OtherHttp.TellAsync("report", new { id = tasks[0].Id(), attempt = 1, outcome = "completed" });
        await Http.TellAsync("report", new { id = tasks[1].Id(), attempt = 1, outcome = "failed", error = "e", retryable = false });
        await Http.TellAsync("report", new { id = tasks[2].Id(), attempt = 1, outcome = "failed", error = "e" });
        await Http.TellAsync("report",
            new { id = tasks[2].Id(), attempt = 1, outcome = "failed", error = "e" }); // idempotent
        await Http.TellAsync("report", new { id = tasks[3].Id(), attempt = 1, outcome = "snoozed", delay_seconds = 3600 });
        (await stack.OtherHttp.PostAsync($"/tasks/{tasks[2].Id()}/cancel", "")).Status.ShouldBe(200);
        (await Http.PostAsync($"/tasks/{tasks[1].Id()}/retry", "")).Status.ShouldBeLessThan(300);

        await stack.ShowsAsync(m => m.Sum("taskqueue_tasks_total", ("queue", Queue), ("event", "cancelled")) == 1, "the cancel is counted");
        var events = await stack.CountsAsync("taskqueue_tasks_total", "event", Queue);
        events.ShouldBe(new Dictionary<string, double>
        {
            ["submitted"] = 5, ["started"] = 4, ["completed"] = 1, ["failed"] = 1, ["retried"] = 1, ["snoozed"] = 1, ["cancelled"] = 1,
        }, ignoreOrder: true);
        (await stack.CountsAsync("taskqueue_task_errors_total", "name", Queue)).Values.Sum().ShouldBe(2);
        (await stack.CountsAsync("taskqueue_attempt_duration_seconds_count", "outcome", Queue)).ShouldBe(
            new Dictionary<string, double> { ["completed"] = 1, ["failed"] = 1, ["retried"] = 1, ["snoozed"] = 1 }, ignoreOrder: true);
    }

    [Fact]
    public async Task Gauges_show_the_whole_database_and_fall_to_zero()
    {
        (await Http.PutAsync($"/queues/{Queue}", "{}")).Status.ShouldBeLessThan(300);
        await Http.SubmitManyAsync(
        [
            new { queue = Queue, action = "a" }, new { queue = Queue, action = "a" },
            new { queue = Queue, action = "a", ordering_key = "t" }, new { queue = Queue, action = "a", ordering_key = "t" },
            new { queue = Queue, action = "a", scheduled_at = TimeProvider.System.GetUtcNow().AddHours(1) },
        ]);
        foreach (var http in new[] { Http, stack.OtherHttp })
        {
            await ShowsAsync(http,
                m => m.Sum("taskqueue_queue_depth", ("queue", Queue), ("tier", "0"), ("state", "due")) == 3, "three are due");
            var shown = await MetricsText.ReadAsync(http);
            shown.Sum("taskqueue_queue_depth", ("queue", Queue), ("state", "later")).ShouldBe(1);
            shown.Sum("taskqueue_queue_depth", ("queue", Queue), ("state", "blocked")).ShouldBe(1);
            shown.Sum("taskqueue_queue_oldest_age_seconds", ("queue", Queue)).ShouldBeGreaterThan(0);
            shown.Sum("dtq_queue_size").ShouldBeGreaterThanOrEqualTo(5);
            shown.Sum("taskqueue_backlog_age_seconds").ShouldBeLessThan(60);
        }

        (await Http.ClaimAsync(Queue, max: 3)).Count.ShouldBe(3);
        await ShowsAsync(Http, m => m.Sum("taskqueue_queue_running", ("queue", Queue)) == 3, "three run");
        (await Http.PostAsync($"/queues/{Queue}/purge", "")).Status.ShouldBeLessThan(300);
        await ShowsAsync(Http, m =>
            m.Sum("taskqueue_queue_depth", ("queue", Queue)) + m.Sum("taskqueue_queue_running", ("queue", Queue)) == 0,
                "nothing waits or runs");
        var empty = await MetricsText.ReadAsync(Http);
        empty.Of("taskqueue_queue_depth", ("queue", Queue)).Count().ShouldBe(3, "a queue that was shown stays, at zero");
        (await stack.CountsAsync("taskqueue_tasks_total", "event", Queue))["cancelled"].ShouldBe(5);
        empty.Sum("taskqueue_queue_oldest_age_seconds", ("queue", Queue)).ShouldBe(0);
        await ShowsAsync(Http, m => m.Of("taskqueue_outbox_rows").Single().Value == 0
            && m.Of("taskqueue_outbox_age_seconds").Single().Value == 0, "every event was sent");
    }

    [Fact]
    public async Task A_lease_that_expires_is_counted()
    {
        await Http.SubmitAsync(new { queue = Queue, action = "a" });
        (await Http.ClaimAsync(Queue, lease_seconds: 1)).ShouldHaveSingleItem();

        await stack.ShowsAsync(m => m.Sum("taskqueue_lease_expirations_total", ("queue", Queue)) == 1, "the lapse is counted");
        (await stack.CountsAsync("taskqueue_tasks_total", "event", Queue)).ShouldBe(
            new Dictionary<string, double> { ["submitted"] = 1, ["started"] = 1, ["retried"] = 1 }, ignoreOrder: true);
    }

    [Fact]
    public async Task A_scrape_has_the_operators_metrics_and_no_ids()
    {
        var id = await Http.SubmitAsync(new { queue = "tasks", action = "uppercase", data = new { text = "a" } });
        await Http.TaskAsync(id, "completed");
        var all = await stack.ScrapeAsync();

        foreach (var name in new[]
        {
            "taskqueue_group_size_count", "taskqueue_commit_duration_seconds_bucket", "taskqueue_claim_duration_seconds_sum",
            "taskqueue_outbox_rows", "taskqueue_backlog_duration_seconds",
            "dtq_queue_size", "dtq_tasks_total", "dtq_task_execution_seconds_count", "http_server_request_duration_seconds_count",
            "dotnet_gc_collections_total",
        })
            all.Any(m => m.Of(name).Any()).ShouldBeTrue(name);
        all.Sum(m => m.Sum("dtq_tasks_total", ("status", "completed"))).ShouldBeGreaterThan(0);
        all.Sum(m => m.Sum("http_server_request_duration_seconds_count", ("http_route", "/tasks/{id}"))).ShouldBeGreaterThan(0);
        all.SelectMany(m => m.Samples).SelectMany(s => s.Labels)
            .Where(l => l.Key is not ("service_instance_id" or "service_version" or "queue") && Identifier().IsMatch(l.Value))
            .ShouldBeEmpty();
    }

    private static Task ShowsAsync(HttpClient http, Func<MetricsText, bool> expected, string what) =>
        Eventually.UntilAsync(async () => expected(await MetricsText.ReadAsync(http)), TestHttp.Patience, what);

    [GeneratedRegex("[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}", RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase,
        matchTimeoutMilliseconds: 1000)]
    private static partial Regex Identifier();
}

public sealed class MetricsOnSqliteTests(MetricsOnSqlite stack) : MetricsTests(stack), IClassFixture<MetricsOnSqlite>;

public sealed class MetricsOnServersTests(MetricsOnServers stack) : MetricsTests(stack), IClassFixture<MetricsOnServers>;

/// <summary>Real processes: two in one process would share their counters.</summary>
public abstract class MetricsStack(DatabaseProvider provider, params string[] roles) : IAsyncLifetime
{
    private readonly List<TaskQueueProcess> _processes = [];
    private TestDatabase _database = null!;
    private string? _rabbitMq;

    internal HttpClient Http => _processes[0].Http;

    internal HttpClient OtherHttp => _processes[_processes.Count > 2 ? 1 : 0].Http;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(provider);
        _rabbitMq = provider == DatabaseProvider.Sqlite ? null : await TestServers.CreateVirtualHostAsync();
        var settings = new Dictionary<string, string> { ["TaskQueue:Telemetry:RefreshSeconds"] = "0.1" };
        foreach (var some in roles)
            _processes.Add(await TaskQueueProcess.StartAsync(some, _database.ConnectionString, _rabbitMq, settings));
    }

    public async Task DisposeAsync()
    {
        foreach (var process in _processes)
            await process.DisposeAsync();
        if (_rabbitMq is not null)
            await TestServers.DeleteVirtualHostAsync(_rabbitMq);
        await _database.DisposeAsync();
    }

    internal async Task<MetricsText[]> ScrapeAsync() => await Task.WhenAll(_processes.Select(p => MetricsText.ReadAsync(p.Http)));

    internal Task ShowsAsync(Func<MetricsText, bool> expected, string what) =>
        Eventually.UntilAsync(async () => (await ScrapeAsync()).Any(expected), TestHttp.Patience, what);

    /// <summary>The sums over all processes, by a label, of a queue.</summary>
    internal async Task<Dictionary<string, double>> CountsAsync(string name, string label, string queue) =>
        (await ScrapeAsync()).SelectMany(m => m.Of(name, ("queue", queue))).GroupBy(s => s.Labels[label])
            .ToDictionary(g => g.Key, g => g.Sum(s => s.Value));
}

public sealed class MetricsOnSqlite() : MetricsStack(DatabaseProvider.Sqlite, "api,scheduler,consumers");

/// <summary>Two processes with the Api role, and one with the others.</summary>
public sealed class MetricsOnServers() : MetricsStack(DatabaseProvider.Postgres, "api", "api", "scheduler,consumers");
