using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Storage.Callbacks;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>The list of all callbacks, on each database.</summary>
public sealed class CallbackListTests
{
    private static readonly CallbackFilter Any = new(null, null);

    public static TheoryData<DatabaseProvider> Providers => TestDatabase.Providers;

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Everybody_sees_the_callbacks_of_its_tasks_newest_first(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var tasks = new[] { Owned("q-1", "ann"), Owned("q-2", "ben"), Owned("q-1", null), Owned("z", "ann") };
        await engine.Store.GivenAsync(database, tasks);
        var gone = Owned("q-1", "ann"); // never stored
        var ids = await AddAsync(database, [.. tasks.Append(gone).Select((t, i) => Callback(t, (CallbackState)(i % 3)))]);
        var queries = engine.Services.GetRequiredService<ICallbackQueries>();

        var all = (await queries.ListAsync(Any, null, 10, Access.All, default)).Callbacks;
        all.Select(c => (c.Callback.Id, c.Callback.SubjectId, c.Queue, c.Callback.Owner)).ShouldBe(
            [(ids[4], gone.CorrelationId, null, "ann"), (ids[3], tasks[3].CorrelationId, "z", "ann"),
                (ids[2], tasks[2].CorrelationId, "q-1", null), (ids[1], tasks[1].CorrelationId, "q-2", "ben"),
                (ids[0], tasks[0].CorrelationId, "q-1", "ann")]);
        all[0].Callback.Url.ShouldBe("http://receiver/");
        all.ShouldAllBe(c => c.Callback.Body == "");

        (await SeenAsync(Access.Of("ann"))).ShouldBe([4, 3, 0]);
        (await SeenAsync(Access.Of("ann", "q-*"))).ShouldBe([0]);
        (await SeenAsync(Access.Of("ann") with { InQueuesOnly = true })).ShouldBe([3, 0]);
        (await SeenAsync(Access.Of("ben") with { Others = QueuePatterns.Of(["q-1"]) })).ShouldBe([2, 1, 0]);
        (await SeenAsync(Access.Of("eve"))).ShouldBeEmpty();
        (await SeenAsync(Access.All, Any with { Queue = "q-1" })).ShouldBe([2, 0]);
        (await SeenAsync(Access.All, Any with { State = CallbackState.Delivered })).ShouldBe([4, 1]);
        (await SeenAsync(Access.Of("ann"), Any with { State = CallbackState.Waiting, Queue = "z" })).ShouldBe([3]);

        var paged = new List<long>();
        for (long? before = null; ;)
        {
            var page = await queries.ListAsync(Any, before, 2, Access.All, default);
            paged.AddRange(page.Callbacks.Select(c => c.Callback.Id));
            if (page.Next is null)
                break;
            before = page.Next;
        }

        paged.ShouldBe(ids.AsEnumerable().Reverse());

        async Task<List<int>> SeenAsync(Access access, CallbackFilter? filter = null) =>
            [.. (await queries.ListAsync(filter ?? Any, null, 10, access, default)).Callbacks.Select(c => ids.IndexOf(c.Callback.Id))];
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_page_looks_at_a_bounded_number_of_callbacks_and_says_where_to_go_on(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var ids = await AddAsync(database, [Callback(Owned("q", "ann"), CallbackState.Failed),
            .. Enumerable.Range(0, CallbackQueries.Window).Select(_ => Callback(Owned("q", "ben"), CallbackState.Delivered))]);
        var queries = engine.Services.GetRequiredService<ICallbackQueries>();

        var first = await queries.ListAsync(Any, null, 10, Access.Of("ann"), default);
        first.Callbacks.ShouldBeEmpty();
        var second = await queries.ListAsync(Any, first.Next.ShouldNotBeNull(), 10, Access.Of("ann"), default);

        second.Callbacks.ShouldHaveSingleItem().Callback.Id.ShouldBe(ids[0]);
        second.Next.ShouldBeNull();
    }

    private static TaskState Owned(string queue, string? owner) => New(queue, t => t.Owner = owner);

    private static Callback Callback(TaskState task, CallbackState state) => new()
    {
        SubjectId = task.CorrelationId, Owner = task.Owner, Url = "http://receiver/", Body = "{}", State = state, DueAt = T0, CreatedAt = T0,
    };

    private static async Task<List<long>> AddAsync(TestDatabase database, List<Callback> callbacks)
    {
        await using var db = database.CreateContext();
        db.Callbacks.AddRange(callbacks);
        await db.SaveChangesAsync();
        return callbacks.ConvertAll(c => c.Id);
    }
}
