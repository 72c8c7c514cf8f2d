using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Clocks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The clock that counts is set by an hour.</summary>
public abstract class ClockTests(DatabaseProvider provider) : IAsyncLifetime
{
    private TestDatabase _database = null!;
    private TestHost _host = null!;
    private string? _rabbitMq;

    private protected SteppedTime Machine { get; } = new();

    private protected HttpClient Http => _host.Http;

    /// <summary>Sets the clock that counts.</summary>
    private protected abstract void SetClock(TimeSpan step);

    private protected virtual void Configure(IServiceCollection services)
    {
    }

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(provider);
        _rabbitMq = provider == DatabaseProvider.Sqlite ? null : await TestServers.CreateVirtualHostAsync();
        _host = await TestHost.StartAsync(_database.ConnectionString, _rabbitMq, settings: new Dictionary<string, string?>
        {
            ["Logging:LogLevel:Default"] = "Error",
        }, services: s => Configure(s.AddSingleton<TimeProvider>(Machine)));
    }

    public async Task DisposeAsync()
    {
        await _host.DisposeAsync();
        if (_rabbitMq is not null)
            await TestServers.DeleteVirtualHostAsync(_rabbitMq);
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task After_a_forward_jump_no_lease_is_lost_and_a_schedule_fires_once()
    {
        const string queue = "forward";
        (await Http.PutAsync($"/queues/{queue}", new { })).Status.ShouldBe(201);
        (await Http.PutAsync($"/queues/{queue}/schedules/often", new { cron = "* * * * *", action = "tick" }))
            .Status.ShouldBeInRange(200, 201);
        var id = await Http.SubmitAsync(new { action = "x", queue });
        (await Http.ClaimAsync(queue, lease_seconds: 60)).Single().Id().ShouldBe(id);

        SetClock(TimeSpan.FromHours(1));

        // The next tick is an hour late, so the schedule fires once, and a scheduler has polled since.
        await Eventually.UntilAsync(async () => await TicksAsync(queue) > 0, TestHttp.Patience, "the schedule fires");
        (await Http.TellAsync("heartbeat", new { id, attempt = 1 })).ShouldBe(["ok"]);
        (await Http.TellAsync("report", new { id, attempt = 1, outcome = "completed" })).ShouldBe(["ok"]);
        (await TicksAsync(queue)).ShouldBeLessThanOrEqualTo(2); // a minute may have started meanwhile
    }

    [Fact]
    public async Task After_a_backward_jump_accepted_tasks_run_at_once_and_a_dead_workers_task_returns_after_its_lease()
    {
        const string queue = "backward";
        var left = await Http.SubmitAsync(new { action = "x", queue, max_attempts = 3, retry = new { first = 0.1, factor = 1 } });
        (await Http.ClaimAsync(queue, lease_seconds: 2)).Single().Id().ShouldBe(left);
        var waiting = await Http.SubmitAsync(new { action = "x", queue });
        var scheduled = await Http.SubmitAsync(
            new { action = "x", queue, scheduled_at = TimeProvider.System.GetUtcNow().AddMinutes(10) });

        SetClock(-TimeSpan.FromHours(1));

        var found = new List<Guid>();
        await Eventually.UntilAsync(async () =>
        {
            found.AddRange((await Http.ClaimAsync(queue, max: 10, lease_seconds: 60, wait_seconds: 1)).Select(t => t.Id()));
            return found.Count == 2;
        }, TestHttp.Patience, "both tasks are claimed");
        found.ShouldBe([waiting, left], ignoreOrder: true);
        (await Http.TaskAsync(scheduled)).Text("status").ShouldBe("pending");
        var fresh = await Http.SubmitAsync(new { action = "uppercase", data = new { text = "now" } });
        await Http.TaskAsync(fresh, "completed");
    }

    private async Task<int> TicksAsync(string queue) =>
        (await Http.ReadAsync($"/queues/{queue}")).Json.GetProperty("counts").GetProperty("waiting").GetInt32();
}

/// <summary>A SQLite file has the clock of the machine.</summary>
public sealed class ClockOnSqliteTests() : ClockTests(DatabaseProvider.Sqlite)
{
    private protected override void SetClock(TimeSpan step) => Machine.Step(step);
}

/// <summary>On a server its clock counts, and the machine's does not.</summary>
public sealed class ClockOnServersTests() : ClockTests(DatabaseProvider.Postgres)
{
    private SteppedDatabase _server = null!;

    private protected override void SetClock(TimeSpan step) => _server.Step(step);

    private protected override void Configure(IServiceCollection services) =>
        services.AddSingleton<IDatabaseTimeSource>(sp => _server = new SteppedDatabase(TimeProvider.System,
            ActivatorUtilities.CreateInstance<DatabaseTimeSource>(sp, StorageProviders.Of(DatabaseProvider.Postgres))));

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public async Task A_jump_of_the_machines_clock_changes_nothing_but_is_reported(int hours)
    {
        const string queue = "machine";
        var later = await Http.SubmitAsync(
            new { action = "x", queue = "later", scheduled_at = TimeProvider.System.GetUtcNow().AddMinutes(5) });
        var held = await Http.SubmitAsync(new { action = "x", queue = "held" });
        (await Http.ClaimAsync("held", lease_seconds: 60)).Single().Id().ShouldBe(held);

        Machine.Step(TimeSpan.FromHours(hours));

        var left = await Http.SubmitAsync(new { action = "x", queue });
        (await Http.ClaimAsync(queue, lease_seconds: 2)).Single().Id().ShouldBe(left);
        await Eventually.UntilAsync(async () =>
        {
            (await Http.TellAsync("heartbeat", new { id = held, attempt = 1 })).ShouldBe(["ok"]);
            return (await Http.ClaimAsync(queue)).Count == 1;
        }, TestHttp.Patience, "the lease of the other task expires");
        (await Http.ClaimAsync("later")).ShouldBeEmpty();
        (await Http.TaskAsync(later)).Text("status").ShouldBe("pending");
        var expected = $"the clock of this machine is 3600 s {(hours > 0 ? "ahead of" : "behind")} the database's, which counts";
        var said = "";
        await Eventually.UntilAsync(
            async () =>
            {
                var health = await Http.ReadAsync("/health/ready");
                said = health.Text;
                return health.Status == 200 && health.Json.GetProperty("checks").GetProperty("database").Text("description") == expected;
            },
            TestHttp.Patience, () => $"the step is reported, not {said}");
        (await MetricsText.ReadAsync(Http)).Samples.Single(m => m.Name == "taskqueue_clock_offset_seconds").Value
            .ShouldBe(3600 * hours, 2);
    }
}
