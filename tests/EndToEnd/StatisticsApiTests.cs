using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>GET /statistics.</summary>
public abstract class StatisticsApiTests(Stack stack)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly string _queue = $"q{Guid.NewGuid():N}";

    [Fact]
    public async Task What_happens_in_any_process_is_counted()
    {
        foreach (var http in new[] { stack.Http, stack.OtherHttp, stack.Http })
            await http.SubmitAsync(new { action = "x", queue = _queue });
        var tasks = await stack.OtherHttp.ClaimAsync(_queue, max: 2);
        await stack.Http.PostAsync("/workers/report",
            new { tasks = new[] { new { id = tasks[0].Id(), attempt = 1, outcome = "completed" } } });
        await stack.OtherHttp.PostAsync("/workers/report",
            new { tasks = new[] { new { id = tasks[1].Id(), attempt = 1, outcome = "failed", error = "e", retryable = false } } });

        await Eventually.UntilAsync(async () =>
        {
            var read = await stack.Http.ReadAsync($"/statistics?queue={_queue}");
            read.Status.ShouldBe(200, read.Text);
            var points = read.Json.GetProperty("queues").EnumerateArray().Single().GetProperty("points").EnumerateArray().ToList();
            return (Sum("submitted"), Sum("started"), Sum("completed"), Sum("failed"), Sum("retried"),
                points.Sum(p => p.GetProperty("run_seconds").Whole("count"))) == (3, 2, 1, 1, 0, 2);

            int Sum(string name) => points.Sum(p => p.Whole(name));
        }, Patience, "all is counted");

        var answer = (await stack.OtherHttp.ReadAsync($"/statistics?queue={_queue}&queue=other-{_queue}")).Json;
        answer.Names().ShouldBe(["from", "to", "step", "queues"]);
        answer.Text("step").ShouldBe("minute");
        (answer.GetProperty("to").GetDateTime() - answer.GetProperty("from").GetDateTime()).ShouldBe(TimeSpan.FromHours(1),
            TimeSpan.FromMinutes(1));
        answer.GetProperty("queues").EnumerateArray().Select(q => q.Text("queue")).ShouldBe([$"other-{_queue}", _queue]);
        answer.GetProperty("queues")[0].GetProperty("points").GetArrayLength().ShouldBe(0);
        var point = answer.GetProperty("queues")[1].GetProperty("points")[0];
        point.Names().ShouldBe(["at", "submitted", "started", "completed", "failed", "retried", "cancelled", "expired", "waiting",
            "oldest_age_seconds", "run_seconds"]);
        point.GetProperty("run_seconds").Names().ShouldBe(["count", "sum", "buckets"]);
        (await stack.Http.ReadAsync("/statistics")).Json.GetProperty("queues").EnumerateArray().Select(q => q.Text("queue"))
            .ShouldContain(_queue);
    }

    [Fact]
    public async Task The_client_and_the_command_line_read_them()
    {
        await stack.Http.SubmitAsync(new { action = "x", queue = _queue });
        await using var services = new ServiceCollection().AddTaskQueueClient(o => o.BaseAddress = stack.Http.BaseAddress!)
            .BuildServiceProvider();
        var client = services.GetRequiredService<TaskQueueClient>();
        var query = new StatisticsQuery { Queues = [_queue], From = TimeProvider.System.GetUtcNow().AddHours(-2) };
        await Eventually.UntilAsync(
            async () => (await client.StatisticsAsync(query)).Single().Points.Sum(p => p.Submitted) == 1, Patience, "it is counted");

        var server = stack.Http.BaseAddress!;
        var rows = (await CommandRun.OfAsync(server, ["statistics", _queue, "--from", "2h"])).Done().Lines
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(cells => cells is [var first, ..] && first == _queue);
        rows.Select(cells => cells[2]).ShouldContain("1"); // the next minute may have a row, too
        (await CommandRun.OfAsync(server, ["statistics", _queue, "--json"])).Done().Json.Text("step").ShouldBe("minute");
        (await CommandRun.OfAsync(server, ["statistics", "--step", "week"])).Refused(1, "step must be minute, hour or day");
    }

    [Fact]
    public async Task Bad_input_is_refused_with_its_remedy()
    {
        (string Query, string Says)[] wrong =
        [
            ("step=week", "step must be"), ("step=hour&step=day", "step must have one value"), ("from=x", "from must be"),
            ("to=2030-01-01", "to must be"), ("from=2031-01-01T00:00:00Z&to=2030-01-01T00:00:00Z", "from must be before to"),
            ("from=2030-01-01T00:00:00Z&to=2031-01-01T00:00:00Z", "choose a longer step"), ("queue=", "no name"),
            ("queue=a%20b", "no name"),
            (string.Join('&', Enumerable.Range(0, 101).Select(n => $"queue=q{n}")), "at most 100"), ("tier=1", "no query parameter 'tier'"),
        ];
        foreach (var (query, says) in wrong)
            Problems.Expect(await stack.Http.ReadAsync($"/statistics?{query}"), 400, "invalid_request").Text("detail")!.ShouldContain(says);
        (await stack.Http.ReadAsync("/statistics?step=day&from=0&to=1")).Status.ShouldBe(200);
    }
}

/// <summary>One process.</summary>
public sealed class SqliteStatisticsApiTests(SqliteStack stack) : StatisticsApiTests(stack), IClassFixture<SqliteStack>;

/// <summary>Several processes, and the bus.</summary>
public sealed class SplitStatisticsApiTests(SplitStack stack) : StatisticsApiTests(stack), IClassFixture<SplitStack>;

/// <summary>Counts survive a restart, and two tenants see their own.</summary>
public sealed class StatisticsTenantTests
{
    [Fact]
    public async Task A_process_writes_its_counts_before_it_ends_and_each_tenant_sees_its_own()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using (var host = await TestHost.StartAsync(database.ConnectionString, settings: QuotaKeys.Settings()))
        {
            using var first = host.ClientOf("ann");
            using var second = host.ClientOf("ben");
            for (var i = 0; i < 3; i++)
                await first.SubmitAsync(new { action = "x", queue = "q" });
            await second.SubmitAsync(new { action = "x", queue = "q" });
        }

        await using var again = await TestHost.StartAsync(database.ConnectionString, settings: QuotaKeys.Settings());
        using var ann = again.ClientOf("ann");
        using var ben = again.ClientOf("ben");
        using var boss = again.ClientOf("boss");
        (await SumAsync(ann)).ShouldBe((3, true));
        (await SumAsync(ben)).ShouldBe((1, true));
        (await SumAsync(boss)).ShouldBe((4, false));

        static async Task<(int Submitted, bool IsHidden)> SumAsync(HttpClient http)
        {
            var read = await http.ReadAsync("/statistics?queue=q");
            var points = read.Json.GetProperty("queues")[0].GetProperty("points").EnumerateArray().ToList();
            return (points.Sum(p => p.Whole("submitted")), points[0].GetProperty("waiting").ValueKind == JsonValueKind.Null);
        }
    }
}
