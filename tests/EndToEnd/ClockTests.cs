using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The server's clock is set by an hour.</summary>
public abstract class ClockTests(DatabaseProvider provider) : IAsyncLifetime
{
    private readonly SteppedTime _time = new();
    private TestDatabase _database = null!;
    private TestHost _host = null!;
    private string? _rabbitMq;

    private HttpClient Http => _host.Http;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(provider);
        _rabbitMq = provider == DatabaseProvider.Sqlite ? null : await TestServers.CreateVirtualHostAsync();
        _host = await TestHost.StartAsync(_database.ConnectionString, _rabbitMq, settings: new Dictionary<string, string?>
        {
            ["Logging:LogLevel:Default"] = "Error",
        }, services: s => s.AddSingleton<TimeProvider>(_time));
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
        (await Http.ClaimAsync(queue, lease_seconds: 5)).Single().Id().ShouldBe(id);

        _time.Step(TimeSpan.FromHours(1));

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

        _time.Step(-TimeSpan.FromHours(1));

        var found = new List<Guid>();
        await Eventually.UntilAsync(async () =>
        {
            found.AddRange((await Http.ClaimAsync(queue, max: 10, lease_seconds: 60, wait_seconds: 1)).Select(t => t.Id()));
            return found.Count == 2;
        }, TestHttp.Patience, "both tasks are claimed");
        found.ShouldBe([waiting, left], ignoreOrder: true);
        var fresh = await Http.SubmitAsync(new { action = "uppercase", data = new { text = "now" } });
        await Http.TaskAsync(fresh, "completed");
    }

    private async Task<int> TicksAsync(string queue) =>
        (await Http.ReadAsync($"/queues/{queue}")).Json.GetProperty("counts").GetProperty("waiting").GetInt32();

    /// <summary>This machine's clock plus an offset set by the test; elapsed time continues unchanged.</summary>
    private sealed class SteppedTime : TimeProvider
    {
        private long _ticks;

        public void Step(TimeSpan step) => Interlocked.Add(ref _ticks, step.Ticks);

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Interlocked.Read(ref _ticks));
    }
}

public sealed class ClockOnSqliteTests() : ClockTests(DatabaseProvider.Sqlite);

public sealed class ClockOnServersTests() : ClockTests(DatabaseProvider.Postgres);
