using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Scaling;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>What autoscalers are told, based on committed data. The clock stands still until a test sets it.</summary>
public abstract class ScalingTests(DatabaseProvider provider) : IAsyncLifetime
{
    private readonly SetTime _time = new(TestTasks.T0);
    private TestDatabase _database = null!;
    private TestEngine _engine = null!;

    private QueueScaling Scaling => _engine.Services.GetRequiredService<QueueScaling>();

    private IBacklogStore Store => _engine.Services.GetRequiredService<IBacklogStore>();

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(provider);
        _engine = new TestEngine(_database.Address, time: _time);
    }

    public async Task DisposeAsync()
    {
        await _engine.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task Rates_are_computed_from_commits_between_two_readings()
    {
        await SubmitAsync(40);
        Pass(20);
        var first = await AskAsync();
        (first.Slots, first.Due, first.Running, first.OldestAgeSeconds, first.FinishedPerSecond, first.RunSeconds)
            .ShouldBe((10, 40, 0, 20, null, null));

        // Two at a time, ten seconds each.
        var running = await ClaimAsync(2);
        Pass(10);
        for (var i = 0; i < 6; i++)
        {
            await AskAsync();
            Pass(10);
            await EndAsync(running, failed: i == 3);
            running = await ClaimAsync(2);
        }

        var last = await AskAsync();
        (last.Due, last.Running, last.OldestAgeSeconds).ShouldBe((26, 2, 90));
        last.FinishedPerSecond!.Value.ShouldBe(0.2, 0.001);
        last.ArrivedPerSecond!.Value.ShouldBe(0, 0.001);
        last.RunSeconds!.Value.ShouldBe(10, 0.001);
        // 0.2 a second for 90 seconds are 18 tasks: to be begun within 30 seconds, 6 slots.
        last.Slots.ShouldBe(6);
        (await Scaling.AskAsync("q", null, 3600, CancellationToken.None))!.Slots.ShouldBe(2);
        (await Scaling.AskAsync("q", null, 5, CancellationToken.None))!.Slots.ShouldBe(28);
    }

    [Fact]
    public async Task An_unknown_or_finished_queue_needs_no_slots()
    {
        (await Scaling.AskAsync("nobody", 3, null, CancellationToken.None))!.Slots.ShouldBe(0);
        await SubmitAsync(1);
        Pass(6);
        (await AskAsync()).Slots.ShouldBe(1);
        await EndAsync(await ClaimAsync(1), failed: false);
        Pass(6);
        (await AskAsync()).Slots.ShouldBe(1, "a moment ago something finished");
        Pass(60);
        await AskAsync();
        Pass(60);
        (await AskAsync()).Slots.ShouldBe(0);
    }

    [Fact]
    public async Task A_single_tier_is_reported_and_limits_and_pauses_apply()
    {
        await _engine.Queues.CreateAsync("q", Delivery.Pull, new QueueSettings { MaxRunning = 4 });
        await SubmitAsync(3);
        await SubmitAsync(7, tier: 2);
        var all = await AskAsync();
        (all.Slots, all.Due).ShouldBe((4, 10));
        var one = await Scaling.AskAsync("q", 2, null, CancellationToken.None);
        (one!.Slots, one.Due).ShouldBe((4, 7));
        (await Scaling.AskAsync("q", 1, null, CancellationToken.None))!.Slots.ShouldBe(0);

        await ClaimAsync(2);
        await _engine.Queues.UpdateAsync("q", s => s with { Paused = true });
        Pass(6);
        all = await AskAsync();
        (all.Slots, all.Running, all.Paused).ShouldBe((2, 2, true));
        (await Scaling.AskAsync("q", 2, null, CancellationToken.None))!.Slots.ShouldBe(0);
    }

    [Fact]
    public async Task Finished_tasks_of_requested_queues_are_counted_by_tier()
    {
        await SubmitAsync(3);
        await SubmitAsync(2, tier: 2);
        await EndAsync(await ClaimAsync(3), failed: false);
        var second = await ClaimAsync(1, tier: 2);
        await EndAsync(second, failed: true);
        var waiting = (await SubmitAsync(1))[0];
        await _engine.SendAsync(new CancelTask(waiting, _time.Now));

        (await Store.ReadBacklogAsync(_time.Now, ["q", "x"]))
            .Finished.ShouldBe(new Dictionary<QueueTier, long> { [new("q", 0)] = 3, [new("q", 2)] = 1 }, ignoreOrder: true);
        (await Store.ReadBacklogAsync(_time.Now, [])).Finished.ShouldBeEmpty();
        (await Store.ReadBacklogAsync(_time.Now, ["x"])).Finished.ShouldBeEmpty();
    }

    [Fact]
    public async Task During_a_database_outage_the_last_reading_is_valid_for_a_minute()
    {
        await SubmitAsync(5);
        var store = new Broken(Store);
        var options = Options.Create(new TelemetryOptions());
        var watch = new BacklogWatch(store, _engine.Services.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>(), options,
            _engine.Services.GetRequiredService<DependencyHealth>(), _time, NullLogger<BacklogWatch>.Instance);
        var scaling = new QueueScaling(watch, _engine.Services.GetRequiredService<QueueCatalog>(),
            Options.Create(new ScalingOptions()), _time);
        (await scaling.AskAsync("q", null, null, CancellationToken.None))!.Slots.ShouldBe(5);

        store.IsAway = true;
        Pass(55);
        (await scaling.AskAsync("q", null, null, CancellationToken.None))!.Slots.ShouldBe(5);
        Pass(10);
        (await scaling.AskAsync("q", null, null, CancellationToken.None)).ShouldBeNull();
        store.IsAway = false;
        Pass(10);
        (await scaling.AskAsync("q", null, null, CancellationToken.None))!.Slots.ShouldBe(5);
    }

    private void Pass(double seconds) => _time.Now += TimeSpan.FromSeconds(seconds);

    private async Task<QueueDemand> AskAsync() => (await Scaling.AskAsync("q", null, null, CancellationToken.None)).ShouldNotBeNull();

    private async Task<List<Guid>> SubmitAsync(int count, int tier = 0)
    {
        var ids = Enumerable.Range(0, count).Select(_ => TaskId.New(_time)).ToList();
        await _engine.Tasks.SubmitManyAsync([.. ids.Select(id => new TaskSubmission(id, "q", "{}") { Tier = tier })]);
        return ids;
    }

    private Task<IReadOnlyList<TaskState>> ClaimAsync(int max, int tier = 0) =>
        _engine.Claims.ClaimAsync(new ClaimRequest([new QueueTier("q", tier)], max, "w", 60_000), TimeSpan.Zero, CancellationToken.None);

    private async Task EndAsync(IReadOnlyList<TaskState> tasks, bool failed)
    {
        foreach (var task in tasks)
        {
            (await _engine.SendAsync(failed
                ? _engine.Tasks.Fail(task.CorrelationId, task.Attempt, "w", "e", retryable: false)
                : _engine.Tasks.Complete(task.CorrelationId, task.Attempt, "w", null))).ShouldBe(CommandResult.Applied);
        }
    }

    /// <summary>A store whose database can be unavailable.</summary>
    private sealed class Broken(IBacklogStore inner) : IBacklogStore
    {
        public bool IsAway { get; set; }

        public Task<Backlog> ReadBacklogAsync(DateTime now, IReadOnlyCollection<string> counted) =>
            IsAway ? throw new TimeoutException("away") : inner.ReadBacklogAsync(now, counted);
    }
}

/// <summary>PostgreSQL.</summary>
public sealed class PostgresScalingTests() : ScalingTests(DatabaseProvider.Postgres);

/// <summary>SQLite.</summary>
public sealed class SqliteScalingTests() : ScalingTests(DatabaseProvider.Sqlite);
