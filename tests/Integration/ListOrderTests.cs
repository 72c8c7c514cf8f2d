using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Storage.Search;
using TaskQueue.Storage.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Tasks run, and are listed, in the order of their acceptance, though their ids, which a producer chose, do not ascend.</summary>
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
        (await ClaimAsync(engine, 12, ClaimRules.None, due)).ShouldBe(tasks);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Tasks_and_lists_with_one_scheduled_time_are_claimed_in_the_order_of_submission(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var due = Micros.Now(TimeProvider.System).AddHours(1);
        var tasks = await SubmitAsync(engine, 5, due);
        for (var n = 0; n < 8; n++)
            tasks.AddRange(await SubmitAsync(engine, 1, due));
        tasks.AddRange(await SubmitAsync(engine, 5, due));

        await PageAsync(engine, tasks);
        (await ClaimAsync(engine, 7, ClaimRules.None, due)).Concat(await ClaimAsync(engine, 12, ClaimRules.None, due)).ShouldBe(tasks);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_limited_queue_the_oldest_first_and_turns_of_an_ordering_key_keep_the_order_of_submission(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        await engine.QueueStore.ApplyLimitsAsync("q");
        var due = Micros.Now(TimeProvider.System).AddHours(1);
        List<Guid> tasks = [], keyed = [];
        for (var n = 0; n < 8; n++)
        {
            tasks.AddRange(await SubmitAsync(engine, 1, due));
            keyed.AddRange(await SubmitAsync(engine, 1, due, "k", queue: "k"));
        }

        (await ClaimAsync(engine, 3, new ClaimRules([new QueueLimit("q", 7, null)], []), due)).ShouldBe(tasks.Take(3));
        (await engine.Store.ClaimAsync(new ClaimRequest([Target], 5, "w", 60_000, ClaimOrder.Oldest), ClaimRules.None, due))
            .Select(t => t.CorrelationId).ShouldBe(tasks.Skip(3));
        foreach (var task in keyed)
        {
            (await engine.Store.ClaimAsync(new ClaimRequest([new("k", 0)], 8, "w", 60_000), ClaimRules.None, due))
                .Select(t => t.CorrelationId).ShouldBe([task]);
            await engine.Tasks.ApplyAsync([engine.Tasks.Complete(task, 1, worker: null, result: null)]);
        }
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task The_newest_tasks_are_those_that_were_accepted_last(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var tasks = await SubmitAsync(engine, 30);
        for (var n = 0; n < 8; n++)
        {
            var ofServer = TaskId.New(engine.Services.GetRequiredService<TimeProvider>());
            await engine.Tasks.SubmitManyAsync([new TaskSubmission(ofServer, "q", "{}")]);
            tasks.AddRange([ofServer, .. await SubmitAsync(engine, 1)]);
        }

        tasks.Reverse();
        foreach (var state in new int?[] { null, TaskStates.Pending })
        {
            (await engine.Queries.NewestAsync(state, 10, Access.All, default)).Select(t => t.CorrelationId).ShouldBe(tasks.Take(10));
            (await engine.Queries.NewestAsync(state, 100, Access.All, default)).Select(t => t.CorrelationId).ShouldBe(tasks);
        }

        (await engine.Queries.NewestAsync(TaskStates.Running, 10, Access.All, default)).ShouldBeEmpty();
        foreach (var state in new int?[] { null, TaskStates.Pending })
        {
            // As if there were many.
            var few = new SearchLimits { Few = 1, Step = 5, FirstStep = 5, MaxExamined = 10, MaxTime = TimeSpan.FromMinutes(1) };
            (await Queries(engine, few).NewestAsync(state, 40, Access.All, default)).Select(t => t.CorrelationId).ShouldBe(tasks.Take(40));
            (await Queries(engine, few with { MaxExamined = 2 }).NewestAsync(TaskStates.Pending, 40, Access.All, default))
                .Select(t => t.CorrelationId).Take(10).ShouldBe(tasks.Take(10), "and others complete the list");
        }

        foreach (var search in new TaskSearch[] { new(), new() { Queue = "q" }, new() { States = [TaskStates.Pending] },
            new() { CreatedFrom = Micros.Now(TimeProvider.System).AddHours(-1), CreatedTo = Micros.Now(TimeProvider.System).AddHours(1) } })
        {
            var found = await engine.Services.GetRequiredService<ITaskSearch>().FindIdsAsync(search, null, 100, Access.All, default);
            found.Ids.ShouldBe(tasks);
        }
    }

    private static TaskQueries Queries(TestEngine engine, SearchLimits limits)
    {
        var databases = engine.Services.GetRequiredService<IDbContextFactory<TaskDbContext>>();
        var memory = Options.Create(new MemoryOptions());
        var searches = new TaskSearches(databases, memory, engine.Services.GetRequiredService<DataCipher>(), limits, TimeProvider.System);
        return new TaskQueries(databases, searches, memory, TimeProvider.System);
    }

    /// <summary>Pages of what waits have the order of claims, forth and back.</summary>
    private static async Task PageAsync(TestEngine engine, List<Guid> tasks)
    {
        var seen = new List<Guid>();
        TaskPage page;
        TaskCursor? from = null;
        do
        {
            page = await engine.Queries.ListAsync("q", TaskList.Waiting, from, 4, Access.All, default);
            seen.AddRange(page.Tasks.Select(t => t.CorrelationId));
            from = page.Last;
        }
        while (page.HasMore);
        seen.ShouldBe(tasks);
        var before = await engine.Queries.ListAsync("q", TaskList.Waiting, page.First, 4, Access.All, default, back: true);
        before.Tasks.Select(t => t.CorrelationId).ShouldBe(tasks.SkipLast(page.Tasks.Count).TakeLast(4));
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
        TestEngine engine, int count, DateTime? scheduledAt = null, string? orderingKey = null, string queue = "q")
    {
        List<Guid> ids = [.. Enumerable.Range(0, count).Select(_ => Guid.NewGuid())];
        await engine.Tasks.SubmitManyAsync(
            ids.ConvertAll(id => new TaskSubmission(id, queue, "{}") { ScheduledAt = scheduledAt, OrderingKey = orderingKey }));
        return ids;
    }

    private static async Task<List<Guid>> ClaimAsync(TestEngine engine, int max, ClaimRules rules, DateTime? now = null) =>
        [.. (await engine.Store.ClaimAsync(new ClaimRequest([Target], max, "w", 60_000), rules,
            now ?? Micros.Now(TimeProvider.System).AddSeconds(1))).Select(t => t.CorrelationId)];
}
