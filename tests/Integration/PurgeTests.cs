using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>A purge runs in steps: a large queue is neither one transaction nor one lock.</summary>
public sealed class PurgeTests
{
    [Theory]
    [InlineData(DatabaseProvider.Sqlite)]
    [InlineData(DatabaseProvider.Postgres)]
    public async Task A_step_of_a_purge_takes_a_bounded_number_of_tasks_and_the_purge_takes_all(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        await engine.Queues.CreateAsync("q", Delivery.Pull, new QueueSettings());
        var accepted = Micros.Now(TimeProvider.System);
        var tasks = Enumerable.Range(0, 5000).Select(n => New("q", t =>
        {
            (t.OrderingKey, t.Blocked) = n % 10 == 0 ? ($"k{n % 100}", true) : (null, false);
            t.CreatedAt = accepted;
        })).ToList();
        await engine.Store.InsertAsync(tasks);
        await engine.Store.InsertAsync([New("other")]);

        var step = await engine.QueueStore.PurgeAsync("q", EventPolicy.All, T0, max: 1000, acceptedBefore: T0);

        step.ShouldBe(new PurgedTasks(1000, 0, 1000));
        (await StatsAsync("q")).Waiting.ShouldBe(4000);
        (await engine.Store.ClaimAsync(new ClaimRequest([new("q", 0)], 5, "w", 1000), T0.AddDays(1))).Count.ShouldBe(5);
        (await engine.Queues.PurgeAsync("q")).ShouldBeTrue();
        var stats = await StatsAsync("q");
        (stats.Waiting, stats.Running, stats.Dead).ShouldBe((0, 0, 0));
        (await StatsAsync("other")).Waiting.ShouldBe(1);
        foreach (var task in new[] { tasks[0], tasks[2500], tasks[^1] })
            (await database.EventsOfAsync(task.CorrelationId)).Last().Type.ShouldBe(TaskEventType.Cancelled);

        Task<QueueStats> StatsAsync(string queue) => engine.Queues.StatsAsync(queue, Access.All, default);
    }
}
