using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>Removal of tasks on PostgreSQL: each step begins where the last one ended.</summary>
public sealed class PostgresRetentionTests
{
    [Fact]
    public async Task A_step_begins_where_the_last_one_ended_and_after_a_minute_at_the_beginning()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        await using var engine = new TestEngine(database.Address);
        await DeleteAsync(engine, T0.AddSeconds(10), New());
        (await engine.QueueStore.RemoveDeletedAsync(T0.AddSeconds(10), 10)).ShouldBe(1);

        var (earlier, same) = (New(), New());
        await DeleteAsync(engine, T0.AddSeconds(5), earlier); // by a process whose clock is behind
        await DeleteAsync(engine, T0.AddSeconds(10), same);

        (await engine.QueueStore.RemoveDeletedAsync(T0.AddSeconds(11), 10)).ShouldBe(1);
        (await LeftAsync(database)).ShouldBe([earlier.CorrelationId]);
        (await engine.QueueStore.RemoveDeletedAsync(T0.AddSeconds(70), 10)).ShouldBe(1);
        (await LeftAsync(database)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_step_searches_from_the_beginning_when_the_clock_goes_back()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        await using var engine = new TestEngine(database.Address);
        await DeleteAsync(engine, T0.AddHours(1), New());
        (await engine.QueueStore.RemoveDeletedAsync(T0.AddHours(1), 10)).ShouldBe(1);
        await DeleteAsync(engine, T0.AddSeconds(1), New());

        (await engine.QueueStore.RemoveDeletedAsync(T0.AddSeconds(1), 10)).ShouldBe(1);
    }

    [Fact]
    public async Task A_task_that_another_transaction_holds_stays_whole_and_delays_no_other()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        await using var engine = new TestEngine(database.Address);
        var (held, free) = (New(), New());
        await DeleteAsync(engine, T0.AddSeconds(1), held, free);
        await using var other = database.CreateContext();
        await using var transaction = await other.Database.BeginTransactionAsync();
        await other.Database.ExecuteSqlAsync($"select 1 from outcomes where id = {held.CorrelationId} for update");

        (await engine.QueueStore.RemoveDeletedAsync(T0.AddSeconds(2), 10)).ShouldBe(1);
        (await LeftAsync(database)).ShouldBe([held.CorrelationId]);
        await transaction.RollbackAsync();

        (await engine.QueueStore.RemoveDeletedAsync(T0.AddMinutes(2), 10)).ShouldBe(1);
        (await LeftAsync(database)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Two_processes_remove_each_task_once()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        await using var engine = new TestEngine(database.Address);
        await using var second = new TestEngine(database.Address);
        await DeleteAsync(engine, T0.AddSeconds(1), [.. Enumerable.Range(0, 1000).Select(_ => New())]);

        var removed = await Task.WhenAll(RemoveAsync(engine), RemoveAsync(second));

        removed.Sum().ShouldBe(1000 - (await LeftAsync(database)).Count);
        (await engine.QueueStore.RemoveDeletedAsync(T0.AddMinutes(2), 1000)).ShouldBe(1000 - removed.Sum());
        (await LeftAsync(database)).ShouldBeEmpty();

        static async Task<int> RemoveAsync(TestEngine engine)
        {
            var (total, step) = (0, 0);
            do
                total += step = await engine.QueueStore.RemoveDeletedAsync(T0.AddSeconds(2), 50);
            while (step > 0);
            return total;
        }
    }

    private static async Task DeleteAsync(TestEngine engine, DateTime at, params TaskState[] tasks)
    {
        await engine.Store.InsertAsync(tasks);
        await engine.QueueStore.PurgeAsync("q", EventPolicy.None, at, tasks.Length, acceptedBefore: T0.AddTicks(10), PurgeMark.First);
        await engine.Store.SaveOffsetsAsync(await engine.Store.EndOfEventsAsync());
    }

    /// <summary>Ids of tasks that have a row in <c>tasks</c>, and also one that says that they have ended.</summary>
    private static async Task<List<Guid>> LeftAsync(TestDatabase database)
    {
        await using var context = database.CreateContext();
        var ids = await context.Submitted.Select(t => t.CorrelationId).OrderBy(id => id).ToListAsync();
        (await context.Outcomes.Select(t => t.CorrelationId).OrderBy(id => id).ToListAsync()).ShouldBe(ids);
        return ids;
    }
}
