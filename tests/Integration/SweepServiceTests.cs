using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Clocks;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Tasks;
using TaskQueue.Scheduler.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

public sealed class SweepServiceTests
{
    [Fact]
    public async Task A_sweep_sleeps_until_the_next_task_is_overdue()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        WatchedStore store = null!;
        await using var engine = new TestEngine(database.Address, decorate: inner => store = new WatchedStore(inner));
        var now = Micros.Now(TimeProvider.System);
        var task = TestTasks.New(change: t => t.DueAt = now);
        await engine.Store.InsertAsync([task]);
        await store.ClaimAsync(new ClaimRequest([new("q", 0)], 1, "w", 1000), now);

        using var sweep = new LeaseSweep(engine.Store, engine.Tasks, engine.Services.GetRequiredService<TaskQuarantine>(),
            engine.Services.GetRequiredService<DatabaseWatch>(), engine.Services.GetRequiredService<PollingServices>());
        await sweep.StartAsync(CancellationToken.None);
        await Eventually.UntilAsync(
            async () => (await database.GetAsync(task.CorrelationId)).State == TaskStates.Retrying,
            TimeSpan.FromSeconds(20), "the lease is taken back");
        await sweep.StopAsync(CancellationToken.None);

        store.Looks.ShouldBeLessThan(20); // one every half second, and one when the lease is over
    }
}
