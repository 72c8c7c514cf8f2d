using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Workers;
using TaskQueue.Scheduler.Retention;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>The registry of workers on a database of each provider.</summary>
public sealed class WorkerTests
{
    private static readonly DateTime T0 = new(2031, 2, 3, 4, 5, 6, DateTimeKind.Utc);
    private static readonly CancellationToken Never = CancellationToken.None;

    public static TheoryData<DatabaseProvider> Providers => TestDatabase.Providers;

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Contacts_of_several_processes_are_merged_by_their_time(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var store = engine.Services.GetRequiredService<IWorkerStore>();
        var newer = Sighting("w", 30) with { Queues = "a b:1" };
        newer = newer with { Contact = newer.Contact! with { Version = "2", Slots = 4, Host = "h", Instance = "i" } };

        await store.WriteAsync([Sighting("w", 10), Sighting("v", 10)], Never);
        await Task.WhenAll(
            store.WriteAsync([newer, Sighting("v", 20)], Never),
            store.WriteAsync([Sighting("u", 5), Sighting("v", 25)], Never),
            store.WriteAsync([Sighting("u", 6), Sighting("w", 20) with { Contact = null, Queues = null }], Never));

        var workers = (await store.ListAsync(Access.All, null, 10, Never)).ToDictionary(w => w.Name);
        workers.Keys.ShouldBe(["u", "v", "w"], ignoreOrder: true);
        var w = workers["w"];
        (w.LastSeenAt, w.Version, w.Slots, w.Host, w.Queues, w.State)
            .ShouldBe((T0.AddSeconds(30), "2", 4, "h", "a b:1", WorkerState.Active));
        workers["v"].LastSeenAt.ShouldBe(T0.AddSeconds(25));
        workers["u"].LastSeenAt.ShouldBe(T0.AddSeconds(6));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Workers_known_from_reports_alone_are_updated_but_never_added(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var store = engine.Services.GetRequiredService<IWorkerStore>();
        await store.WriteAsync([Sighting("w", 0)], Never);

        await store.WriteAsync([Sighting("w", 9) with { Contact = null }, Sighting("x", 9) with { Contact = null }], Never);

        var only = (await store.ListAsync(Access.All, null, 10, Never)).ShouldHaveSingleItem();
        (only.Name, only.LastSeenAt, only.Transport).ShouldBe(("w", T0.AddSeconds(9), WorkerContact.Http));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_restarted_worker_drains_no_more_but_a_lost_one_that_comes_back_does(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var store = engine.Services.GetRequiredService<IWorkerStore>();
        var first = Instance("w", 0, "1");
        await store.WriteAsync([first], Never);
        (await store.DrainAsync(first.Id, Never)).ShouldBeTrue();
        (await store.DrainingAsync(Never)).ShouldBe([first.Id]);
        await store.AddLostAsync([new LostTasks("w", "key", 2, 1), new LostTasks("w", "other key", 5, 5)], Never);

        (await store.EndAsync([first.Id], WorkerState.Lost, T0.AddSeconds(1), Never)).ShouldBe(1);
        (await store.DrainAsync(first.Id, Never)).ShouldBeFalse();
        await store.WriteAsync([Instance("w", 60, "1")], Never);
        var back = (await store.FindAsync(first.Id, Access.All, Never))!;
        (back.State, back.Draining, back.LostRetried, back.LostFailed, back.StartedAt).ShouldBe((WorkerState.Active, true, 2, 1, T0));

        await store.WriteAsync([Instance("w", 70, "2") with { StartedAt = T0.AddSeconds(65) }], Never);
        await store.WriteAsync([Instance("w", 61, "1")], Never); // of another process, written late
        var again = (await store.FindAsync(first.Id, Access.All, Never))!;
        (again.State, again.Draining, again.LostRetried, again.StartedAt).ShouldBe((WorkerState.Active, false, 0, T0.AddSeconds(65)));
        back.LostAt.ShouldNotBeNull();
        again.LostAt.ShouldBeNull();

        await store.WriteAsync([Instance("w", 80, "2") with { HasStopped = true }], Never);
        (await store.FindAsync(first.Id, Access.All, Never))!.State.ShouldBe(WorkerState.Stopped);
        await store.WriteAsync([Instance("w", 79, "2")], Never);
        (await store.FindAsync(first.Id, Access.All, Never))!.State.ShouldBe(WorkerState.Stopped);
        await store.WriteAsync([Instance("w", 90, "2")], Never);
        (await store.FindAsync(first.Id, Access.All, Never))!.State.ShouldBe(WorkerState.Active);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task What_a_process_knows_of_an_earlier_start_ends_no_drain(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var store = engine.Services.GetRequiredService<IWorkerStore>();
        var second = Instance("w", 10, "2") with { StartedAt = T0.AddSeconds(10) };
        await store.WriteAsync([Instance("w", 0, "1")], Never);
        await store.WriteAsync([second], Never);
        (await store.DrainAsync(second.Id, Never)).ShouldBeTrue();

        await store.WriteAsync([Instance("w", 20, "1")], Never); // it knows the worker's claims before the start, and a report since
        await store.WriteAsync([second with { SeenAt = T0.AddSeconds(15), HasStopped = true }], Never); // late

        var draining = (await store.FindAsync(second.Id, Access.All, Never))!;
        (draining.State, draining.Draining, draining.Instance, draining.StartedAt, draining.LastSeenAt)
            .ShouldBe((WorkerState.Active, true, "2", T0.AddSeconds(10), T0.AddSeconds(20)));

        await store.WriteAsync([Instance("w", 18, "3") with { StartedAt = T0.AddSeconds(17) }], Never);
        var restarted = (await store.FindAsync(second.Id, Access.All, Never))!;
        (restarted.Draining, restarted.Instance, restarted.StartedAt).ShouldBe((false, "3", T0.AddSeconds(17)));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_tenant_sees_its_own_workers_and_pages_continue_where_they_ended(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var store = engine.Services.GetRequiredService<IWorkerStore>();
        await store.WriteAsync([.. Enumerable.Range(0, 7).Select(n => Sighting($"a{n}", n / 2)),
            Sighting("w", 1, "b"), Sighting("a0", 2, null)], Never);

        var seen = new List<string>();
        for (WorkerCursor? after = null; ;)
        {
            var page = await store.ListAsync(Access.Of("a"), after, 2, Never);
            seen.AddRange(page.Select(w => w.Name));
            if (page.Count < 2)
                break;
            after = new(page[^1].StartedAt, page[^1].Id);
        }

        seen.Count.ShouldBe(7);
        seen.ShouldBe(Enumerable.Range(0, 7).Select(n => $"a{n}"), ignoreOrder: true);
        (await store.ListAsync(Access.Of("b"), null, 10, Never)).Single().Name.ShouldBe("w");
        (await store.ListAsync(Access.Of("c"), null, 10, Never)).ShouldBeEmpty();
        (await store.ListAsync(Access.Of("a") with { InQueuesOnly = true }, null, 10, Never)).ShouldBeEmpty();
        (await store.ListAsync(Access.All, null, 10, Never)).Count.ShouldBe(9);
        (await store.FindAsync(Sighting("w", 1, "b").Id, Access.Of("a"), Never)).ShouldBeNull();
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_silent_worker_is_lost_and_its_record_says_what_became_of_its_tasks(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        await engine.Committer.StartAsync(Never);
        var (store, registry) = (engine.Services.GetRequiredService<IWorkerStore>(), engine.Services.GetRequiredService<WorkerRegistry>());
        await engine.Tasks.SubmitManyAsync([Submission(3), Submission(1), Submission(3)]);
        var contact = new WorkerContact(WorkerContact.Http, "a") { Instance = "1" };
        var request = new ClaimRequest([new("q", 0)], 10, "w", 1000) { Contact = contact, Credential = "key" };
        var tasks = await engine.Claims.ClaimAsync(request, TimeSpan.Zero, Never);
        tasks.Count.ShouldBe(3);
        await FlushAsync(registry, store);
        (await store.RunningAsync(["w"], Never))[("w", "key")].ShouldBe(3);
        registry.Seen(new("a", "key", "idle"), contact);
        registry.Seen(new("a", "key", "polls"), new WorkerContact("moab", "a"));
        registry.Seen(new("a", "key", "curl"), contact with { Instance = null });
        registry.Seen(new("a", "key", "bus"), new WorkerContact(WorkerContact.Bus, "a"));
        registry.Seen(new("a", "key", "drained"), contact);
        await FlushAsync(registry, store);
        var drained = (await store.ListAsync(Access.All, null, 10, Never)).Single(w => w.Name == "drained").Id;
        await store.DrainAsync(drained, Never);

        var later = Micros.Now(TimeProvider.System).AddSeconds(90);
        foreach (var task in new[] { tasks.Single(t => t.MaxAttempts == 1), tasks.First(t => t.MaxAttempts == 3) })
            (await engine.SendAsync(new ExpireLease(task.CorrelationId, later))).ShouldBe(CommandResult.Applied);
        registry.Lost("bus", "key", isRetried: true);
        await FlushAsync(registry, store);
        var steps = 0;
        var time = new SteppedTime();
        time.Step(TimeSpan.FromSeconds(90));
        await Job(engine, Old(), time).RunAsync(() => steps++, Never);
        (await store.ListAsync(Access.All, null, 10, Never)).Single(w => w.Name == "w").State.ShouldBe(WorkerState.Active); // it has a task

        (await engine.SendAsync(new ExpireLease(tasks.Last(t => t.MaxAttempts == 3).CorrelationId, later))).ShouldBe(CommandResult.Applied);
        await FlushAsync(registry, store);
        await Job(engine, Old(), time).RunAsync(() => steps++, Never);

        var workers = (await store.ListAsync(Access.All, null, 10, Never)).ToDictionary(w => w.Name);
        (workers["w"].State, workers["w"].LostRetried, workers["w"].LostFailed).ShouldBe((WorkerState.Lost, 2, 1));
        workers["idle"].State.ShouldBe(WorkerState.Lost);
        workers["polls"].State.ShouldBe(WorkerState.Stopped);
        workers["curl"].State.ShouldBe(WorkerState.Stopped);
        workers["bus"].State.ShouldBe(WorkerState.Lost);
        workers["drained"].State.ShouldBe(WorkerState.Stopped);
        (await store.CountAsync(Never))[WorkerState.Lost].ShouldBe(3);

        time.Step(TimeSpan.FromHours(25));
        (await Job(engine, Old(), time).RunAsync(() => steps++, Never)).ShouldBe(6);
        (await store.ListAsync(Access.All, null, 10, Never)).ShouldBeEmpty();
        steps.ShouldBeGreaterThan(0);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task After_a_start_silence_says_nothing_and_surplus_workers_of_an_owner_are_removed(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var (store, registry) = (engine.Services.GetRequiredService<IWorkerStore>(), engine.Services.GetRequiredService<WorkerRegistry>());
        await store.WriteAsync([.. Enumerable.Range(0, 15).Select(n => Sighting($"w{n:00}", n)), Sighting("x", 0, "b")], Never);
        var time = new SteppedTime();
        time.Step(T0.AddMinutes(10) - TimeProvider.System.GetUtcNow().UtcDateTime);

        await Job(engine, registry, time, maxPerTenant: 10).RunAsync(() => { }, Never);
        var all = await store.ListAsync(Access.All, null, 100, Never);
        all.Count.ShouldBe(16);
        all.ShouldAllBe(w => w.State == WorkerState.Active);
        await store.EndAsync([.. all.Where(w => w.LastSeenAt < T0.AddSeconds(7)).Select(w => w.Id)], WorkerState.Stopped, T0.AddMinutes(1),
            Never);

        await Job(engine, registry, time, maxPerTenant: 10).RunAsync(() => { }, Never);

        var left = await store.ListAsync(Access.All, null, 100, Never);
        left.Where(w => w.Owner == "a").Select(w => w.Name).ShouldBe(Enumerable.Range(5, 10).Select(n => $"w{n:00}"), ignoreOrder: true);
        left.Count.ShouldBe(11);
    }

    private static LostWorkers Job(TestEngine engine, WorkerRegistry registry, TimeProvider time, int maxPerTenant = 1000) =>
        new(engine.Services.GetRequiredService<IWorkerStore>(), registry, engine.Services.GetRequiredService<WorkerMetrics>(),
            Options.Create(new WorkerOptions { MaxPerTenant = maxPerTenant }), time);

    private static async Task FlushAsync(WorkerRegistry registry, IWorkerStore store)
    {
        await store.WriteAsync([.. registry.TakeChanges(TimeSpan.Zero).Select(c => c.Sighting)], Never);
        await store.AddLostAsync(registry.TakeLost(), Never);
    }

    /// <summary>The registry of a process that has listened for long.</summary>
    private static WorkerRegistry Old()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        var registry = new WorkerRegistry(Options.Create(new WorkerOptions()), time);
        time.Advance(TimeSpan.FromHours(1));
        return registry;
    }

    private static TaskSubmission Submission(int attempts) =>
        new(Guid.CreateVersion7(), "q", "{}") { MaxAttempts = attempts };

    private static WorkerSighting Sighting(string name, int second, string? owner = "a")
    {
        var key = new WorkerKey(owner, "key", name);
        var at = T0.AddSeconds(second);
        return new(new WorkerEntry(key, at).Id, key, new WorkerContact(WorkerContact.Http, owner), null, at, at, HasStopped: false);
    }

    private static WorkerSighting Instance(string name, int second, string instance) =>
        Sighting(name, second) is var s ? s with { StartedAt = T0, Contact = s.Contact! with { Instance = instance } } : null!;
}
