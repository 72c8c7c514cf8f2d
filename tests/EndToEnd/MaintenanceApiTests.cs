using System.Text.Json;
using Shouldly;
using TaskQueue.Scheduler.Maintenance;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The list of jobs and manual runs, by routes and commands.</summary>
public abstract class MaintenanceApiTests(Stack stack)
{
    [Fact]
    public async Task Jobs_are_listed_with_their_runs_and_run_when_asked()
    {
        var jobs = (await stack.Http.ReadAsync("/maintenance")).Json.GetProperty("jobs").EnumerateArray().ToList();
        jobs.ConvertAll(j => j.Text("name")!).ShouldBe(MaintenanceService.Names);
        jobs.ShouldAllBe(j => j.Text("description")!.EndsWith('.') && j.GetProperty("interval_seconds").GetDouble() > 0);
        jobs.Single(j => j.Text("name") == "abandoned-files").GetProperty("interval_seconds").GetDouble().ShouldBe(3600);
        await JobAsync("abandoned-files", j => j.GetProperty("next_run_at").ValueKind == JsonValueKind.String, "it is scheduled");

        var before = (await JobAsync("abandoned-files", _ => true, "it is listed")).GetProperty("last_run_at").GetRawText();
        var asked = await stack.OtherHttp.PostAsync("/maintenance/abandoned-files/run", "");
        asked.Status.ShouldBe(202, asked.Text);
        asked.Json.Names().ShouldBe(["name", "status"]);
        asked.Json.Text("status").ShouldBeOneOf("queued", "running");

        var ran = await JobAsync("abandoned-files",
            j => j.Text("outcome") == "succeeded" && j.GetProperty("last_run_at").GetRawText() != before, "it ran");
        ran.GetProperty("last_success_at").GetDateTime().ShouldBeGreaterThanOrEqualTo(ran.GetProperty("last_run_at").GetDateTime());
        ran.GetProperty("duration_ms").GetInt64().ShouldBeGreaterThanOrEqualTo(0);
        ran.GetProperty("removed").GetInt64().ShouldBe(0);
        ran.GetProperty("error").ValueKind.ShouldBe(JsonValueKind.Null);
        ran.Text("process").ShouldBe($"{Environment.MachineName}:{Environment.ProcessId}");
        (ran.GetProperty("next_run_at").GetDateTime() - ran.GetProperty("last_run_at").GetDateTime())
            .ShouldBeLessThanOrEqualTo(TimeSpan.FromMinutes(61));
    }

    [Fact]
    public async Task An_unknown_job_is_refused_with_the_valid_names()
    {
        var problem = Problems.Expect(await stack.Http.PostAsync("/maintenance/format-disk/run", ""), 404, "not_found");
        foreach (var name in MaintenanceService.Names)
            problem.Text("detail")!.ShouldContain(name);
    }

    [Fact]
    public async Task A_job_runs_when_it_is_due()
    {
        var first = await JobAsync("task-retention", j => j.Text("outcome") == "succeeded", "it ran");
        await JobAsync("task-retention",
            j => j.GetProperty("last_success_at").GetDateTime() > first.GetProperty("last_success_at").GetDateTime(), "it ran again");
    }

    [Fact]
    public async Task The_command_line_lists_and_runs_jobs()
    {
        var address = stack.Http.BaseAddress!;
        var list = (await CommandRun.OfAsync(address, ["maintenance", "list"])).Done();
        list.Lines.Count.ShouldBe(1 + MaintenanceService.Names.Count);
        list.Row("abandoned-files")[1].ShouldBe("3600");
        (await CommandRun.OfAsync(address, ["maintenance", "list", "--json"])).Done().Json.GetProperty("jobs").GetArrayLength()
            .ShouldBe(MaintenanceService.Names.Count);

        (await CommandRun.OfAsync(address, ["maintenance", "run", "stale-usage"])).Done().Lines.ShouldHaveSingleItem()
            .ShouldMatch("^stale-usage  (queued|running)$");
        var both = await CommandRun.OfAsync(address, ["maintenance", "run", "nothing", "stale-usage", "--json"]);
        both.ExitCode.ShouldBe(1);
        JsonSerializer.Deserialize<JsonElement>(both.Lines.Single()).GetProperty("jobs").EnumerateArray().Select(j => j.Text("name"))
            .ShouldBe(["nothing", "stale-usage"]);
        both.Errors.ShouldHaveSingleItem().ShouldContain("task-retention");
    }

    private async Task<JsonElement> JobAsync(string name, Func<JsonElement, bool> expected, string what)
    {
        JsonElement job = default;
        await Eventually.UntilAsync(
            async () =>
                expected(job = (await stack.Http.ReadAsync("/maintenance")).Json.GetProperty("jobs").EnumerateArray()
                    .Single(j => j.Text("name") == name)),
            TestHttp.Patience, $"{name}: {what}");
        return job;
    }
}

public sealed class MaintenanceApiOnSqlite(SqliteStack stack) : MaintenanceApiTests(stack), IClassFixture<SqliteStack>;

/// <summary>Processes with the role api request runs; others run them.</summary>
public sealed class MaintenanceApiOnSplitRoles(SplitStack stack) : MaintenanceApiTests(stack), IClassFixture<SplitStack>;

/// <summary>A failing job, and a server that has just started.</summary>
public sealed class MaintenanceFailureTests
{
    [Fact]
    public async Task A_job_that_fails_is_shown_tried_again_and_seen_by_health_and_metrics_until_it_succeeds()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: new Dictionary<string, string?>
        {
            ["Logging:LogLevel:Default"] = "None", ["TaskQueue:Maintenance:PollSeconds"] = "1",
            ["TaskQueue:Maintenance:StaleUsageInterval"] = "12:00:00",
            ["TaskQueue:Health:CanarySeconds"] = "0.5", ["TaskQueue:Health:UnresponsiveAfterSeconds"] = "2",
            ["TaskQueue:Health:RestartAfterSeconds"] = "600",
        });
        await UntilAsync(host, j => j.Text("outcome") == "succeeded", "it ran when the server started, because the storage is in memory");

        await database.RenameTableAsync("tenant_usage", "away");
        (await host.Http.PostAsync("/maintenance/stale-usage/run", "")).Status.ShouldBe(202);
        var failed = await UntilAsync(host, j => j.Text("outcome") == "failed", "it failed");
        failed.Text("error")!.ShouldContain("no such table: tenant_usage");
        failed.GetProperty("duration_ms").ValueKind.ShouldBe(JsonValueKind.Number);
        failed.GetProperty("last_success_at").ValueKind.ShouldBe(JsonValueKind.String);
        await Eventually.UntilAsync(async () => (await CheckAsync(host)).Text("status") == "degraded", TestHttp.Patience, "health says it");
        (await CheckAsync(host)).Text("description")!.ShouldStartWith("all its runs have failed");
        var metrics = (await host.Http.ReadAsync("/metrics")).Text;
        metrics.ShouldContain("taskqueue_maintenance_age_seconds{");
        metrics.Split('\n')
            .ShouldContain(l => l.StartsWith("taskqueue_maintenance_runs_total{", StringComparison.Ordinal)
                && l.Contains("name=\"stale-usage\"") && l.Contains("outcome=\"failed\""));

        await database.RenameTableAsync("away", "tenant_usage");
        await UntilAsync(host, j => j.Text("outcome") == "succeeded", "it is tried again by itself");
        await Eventually.UntilAsync(
            async () => (await CheckAsync(host)).Text("status") == "healthy", TestHttp.Patience, "it is well again");
    }

    [Fact]
    public async Task An_invalid_interval_stops_the_start()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var fault = await Should.ThrowAsync<Microsoft.Extensions.Options.OptionsValidationException>(() =>
            TestHost.StartAsync(database.ConnectionString, settings: new Dictionary<string, string?>
            {
                ["TaskQueue:Maintenance:AuditRetentionInterval"] = "00:00:07", ["Logging:LogLevel:Default"] = "None",
            }));
        fault.Message.ShouldContain("TaskQueue:Maintenance:AuditRetentionInterval must be");
    }

    private static async Task<JsonElement> CheckAsync(TestHost host) =>
        (await host.Http.ReadAsync("/health/ready")).Json.GetProperty("checks").GetProperty("stale-usage");

    private static async Task<JsonElement> UntilAsync(TestHost host, Func<JsonElement, bool> expected, string what)
    {
        JsonElement job = default;
        await Eventually.UntilAsync(
            async () =>
                expected(job = (await host.Http.ReadAsync("/maintenance")).Json.GetProperty("jobs").EnumerateArray()
                    .Single(j => j.Text("name") == "stale-usage")),
            TimeSpan.FromSeconds(40), what);
        return job;
    }
}
