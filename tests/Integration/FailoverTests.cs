using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Clocks;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Scheduler.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>
/// PostgreSQL fails over to a replica that lacks the last transactions: a process must not trust what it remembers. The tests undo
/// transactions with SQL behind its back.
/// </summary>
public sealed partial class FailoverTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private TestDatabase _database = null!;
    private TestEngine _engine = null!;
    private WatchedDatabase _watched = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        _engine = new TestEngine(_database.Address);
        await Get<DatabaseWatch>().MeasureAsync(CancellationToken.None);
        _watched = new WatchedDatabase(Get<DatabaseClock>(), new SteppedDatabase(TimeProvider.System));
    }

    public async Task DisposeAsync()
    {
        await _watched.DisposeAsync();
        await _engine.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_task_whose_claim_is_lost_is_claimed_again_within_seconds()
    {
        for (var i = 0; i < 3; i++)
            await SubmitAsync();
        await ExecuteAsync("create table kept as select * from ready");
        var claimed = await ClaimAsync();
        claimed.Count.ShouldBe(3);
        (await ClaimAsync()).ShouldBeEmpty();
        await ExecuteAsync("delete from running; insert into ready select * from kept");

        var again = new List<TaskState>();
        await Eventually.UntilAsync(async () =>
        {
            again.AddRange(await ClaimAsync());
            return again.Count == 3;
        }, Patience, "they are claimed again");
        // Not in one claim, perhaps: until a claim looks at all, it finds those that are due close to the last.
        again.Select(t => t.CorrelationId).ShouldBe(claimed.Select(t => t.CorrelationId), ignoreOrder: true);
    }

    [Fact]
    public async Task A_lease_whose_heartbeats_are_lost_starts_over()
    {
        var held = await SubmitAsync();
        (await ClaimAsync(leaseMs: 30_000)).Count.ShouldBe(1);
        var left = await SubmitAsync();
        (await ClaimAsync(leaseMs: 2000)).Count.ShouldBe(1);
        using var sweep = new LeaseSweep(_engine.Store, _engine.Tasks, Get<TaskQuarantine>(), _watched.Watch, Get<PollingServices>());
        await ExecuteAsync("update running set lease_until = lease_until - interval '1 minute'");
        await _watched.FailOverAsync();

        await sweep.StartAsync(CancellationToken.None);
        await Eventually.UntilAsync(async () =>
        {
            (await _engine.SendAsync(_engine.Tasks.Renew(held, 1, "w"))).ShouldBe(CommandResult.Applied);
            return (await _database.GetAsync(left)).State == TaskStates.Retrying;
        }, Patience, "the lease that nobody renews expires");
        await sweep.StopAsync(CancellationToken.None);

        (await _database.GetAsync(held)).State.ShouldBe(TaskStates.Running);
    }

    [Fact]
    public async Task A_lease_that_expired_during_an_outage_starts_over()
    {
        var task = await SubmitAsync();
        (await ClaimAsync(leaseMs: 10_000)).Count.ShouldBe(1);
        using var sweep = new LeaseSweep(_engine.Store, _engine.Tasks, Get<TaskQuarantine>(), _watched.Watch, Get<PollingServices>());
        await ExecuteAsync("update running set lease_until = lease_until - interval '1 minute'");
        _watched.Database.IsAway = true;
        await sweep.StartAsync(CancellationToken.None);
        await Eventually.UntilAsync(() => Task.FromResult(_watched.Database.Unanswered >= 3), Patience, "the outage lasts two seconds");

        _watched.Database.IsAway = false;
        await Eventually.UntilAsync(
            async () => await _database.GetAsync(task) is { State: TaskStates.Running } running
                && running.LeaseUntil > TimeProvider.System.GetUtcNow().UtcDateTime,
            Patience, "the lease starts over");
        await sweep.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task The_list_of_queues_is_read_again_even_if_its_version_is_the_same()
    {
        using var catalog = new QueueCatalog(Get<IQueueRecordStore>(), _watched.Watch, Get<DependencyHealth>(), TimeProvider.System);
        await using (var context = _database.CreateContext())
        {
            context.Queues.Add(new QueueRecord { Name = "q", Owner = "ann", Settings = QueueSettings.Default });
            await context.SaveChangesAsync();
        }

        (await catalog.LookUpAsync("q"))!.Owner.ShouldBe("ann");
        await ExecuteAsync("update queues set owner = 'ben' where name = 'q'"); // another history with as many changes
        await _watched.FailOverAsync();

        await Eventually.UntilAsync(async () => (await catalog.FindAsync("q"))!.Owner == "ben", Patience, "the change is seen");
    }

    private T Get<T>()
        where T : notnull => _engine.Services.GetRequiredService<T>();

    private Task<IReadOnlyList<TaskState>> ClaimAsync(int leaseMs = 60_000) =>
        _engine.Claims.ClaimAsync(new ClaimRequest([new("q", 0)], 10, "w", leaseMs), TimeSpan.Zero, CancellationToken.None);

    private async Task<Guid> SubmitAsync()
    {
        var task = new TaskSubmission(TaskId.New(TimeProvider.System), "q", "{}");
        (await _engine.Tasks.SubmitAsync(task)).Result.ShouldBe(SubmitStatus.Accepted);
        return task.Id;
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var context = _database.CreateContext();
        await context.Database.ExecuteSqlRawAsync(sql);
    }
}
