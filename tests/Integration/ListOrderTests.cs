using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Tasks of one list run in its order on each database, though their ids, which a producer chose, do not ascend.</summary>
public sealed class ListOrderTests
{
    private static readonly QueueTier Target = new("q", 0);

    public static TheoryData<DatabaseProvider> Providers => TestDatabase.Providers;

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_list_is_claimed_in_its_order(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var tasks = await SubmitAsync(engine, 12);

        var claimed = (await ClaimAsync(engine, 5, ClaimRules.None)).Concat(await ClaimAsync(engine, 12, ClaimRules.None));

        claimed.ShouldBe(tasks);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_list_of_a_limited_queue_is_claimed_in_its_order(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        await engine.QueueStore.ApplyLimitsAsync("q");
        var tasks = await SubmitAsync(engine, 12);

        (await ClaimAsync(engine, 12, new ClaimRules([new QueueLimit("q", 7, null)], []))).ShouldBe(tasks.Take(7));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_list_with_one_scheduled_time_is_claimed_in_its_order_and_not_before(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var due = Micros.Now(TimeProvider.System).AddHours(1);
        var tasks = await SubmitAsync(engine, 12, scheduledAt: due);

        (await ClaimAsync(engine, 12, ClaimRules.None, due.AddMicroseconds(-1))).ShouldBeEmpty();
        (await ClaimAsync(engine, 12, ClaimRules.None, due.AddSeconds(1))).ShouldBe(tasks);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task The_tasks_of_an_ordering_key_run_in_the_order_of_the_list(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var tasks = await SubmitAsync(engine, 6, orderingKey: "k");

        foreach (var task in tasks)
        {
            (await ClaimAsync(engine, 6, ClaimRules.None)).ShouldBe([task]);
            await engine.Tasks.ApplyAsync([engine.Tasks.Complete(task, 1, worker: null, result: null)]);
        }
    }

    private static async Task<List<Guid>> SubmitAsync(
        TestEngine engine, int count, DateTime? scheduledAt = null, string? orderingKey = null)
    {
        List<Guid> ids = [.. Enumerable.Range(0, count).Select(_ => Guid.NewGuid())];
        await engine.Tasks.SubmitManyAsync(
            ids.ConvertAll(id => new TaskSubmission(id, "q", "{}") { ScheduledAt = scheduledAt, OrderingKey = orderingKey }));
        return ids;
    }

    private static async Task<List<Guid>> ClaimAsync(TestEngine engine, int max, ClaimRules rules, DateTime? now = null) =>
        [.. (await engine.Store.ClaimAsync(new ClaimRequest([Target], max, "w", 60_000), rules,
            now ?? Micros.Now(TimeProvider.System).AddSeconds(1))).Select(t => t.CorrelationId)];
}
