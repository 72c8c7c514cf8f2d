using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Clocks;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Tasks;
using TaskQueue.Scheduler.Retention;
using TaskQueue.Scheduler.Tasks;
using TaskQueue.Storage;
using TaskQueue.Storage.Postgres;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Rows that a sweep cannot process must not block those behind them.</summary>
public sealed class QuarantineSweepTests
{
    private const int Poison = 600; // more than a sweep takes at once
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20), Later = TimeSpan.FromSeconds(90);

    public static TheoryData<DatabaseProvider> Providers => TestDatabase.Providers;

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Six_hundred_unrecoverable_leases_are_quarantined_and_a_later_one_is_recovered(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var now = Micros.Now(TimeProvider.System);
        var bad = Enumerable.Range(0, Poison).Select(i => TestTasks.New(change: t => Claimed(t, now.AddSeconds(-60 - i)))).ToList();
        var good = TestTasks.New(change: t => Claimed(t, now.AddSeconds(-1)));
        await engine.Store.GivenAsync(database, [.. bad, good]);
        await using (var db = database.CreateContext())
        {
            // Text that cannot be parsed; and a result that PostgreSQL cannot store, as bus messages could once bring it.
            var half = bad.Take(Poison / 2).Select(t => t.CorrelationId).ToList();
            var rest = bad.Skip(Poison / 2).Select(t => t.CorrelationId).ToList();
            await BreakAsync(db, half, "{");
            var unstorable = provider == DatabaseProvider.Postgres ? """{"LeaseExpiryResult":"a\u0000b"}""" : "[";
            await BreakAsync(db, rest, unstorable);
        }

        using var sweep = Sweep(engine);
        await sweep.StartAsync(CancellationToken.None);
        await Eventually.UntilAsync(
            async () => (await database.GetAsync(good.CorrelationId)).State == TaskStates.Retrying, Soon, "the good lease is recovered");
        await Eventually.UntilAsync(async () => (await ItemsAsync(database)).Count == Poison, Later, "the others are set aside");

        var items = await ItemsAsync(database);
        items.ShouldAllBe(i => i.Kind == "lease" && i.Queue == "q" && i.Owner == "ann" && i.Count == 1 && i.Reason.Length > 10
            && i.State != null);
        items.Select(i => i.Subject).ShouldBe(bad.Select(t => t.CorrelationId.ToString()), ignoreOrder: true);
        var heartbeats = engine.Services.GetRequiredService<LoopHeartbeats>();
        heartbeats.FaultOf("lease-sweep").ShouldBeNull();

        // Fixed, and released.
        var desk = engine.Services.GetRequiredService<QuarantineService>();
        var (mended, dropped) = (bad[0].CorrelationId, bad[1].CorrelationId);
        await using (var db = database.CreateContext())
            await BreakAsync(db, [mended], actions: null, attemptsLeft: 2);
        (await desk.ReleaseAsync(IdOf(items, mended), Access.All, CancellationToken.None)).Refusal.ShouldBeNull();
        await Eventually.UntilAsync(
            async () => (await database.GetAsync(mended)).State == TaskStates.Retrying, Soon, "the mended task is recovered");

        // Not fixed: it returns. Dropped: it ends, although its completion actions cannot be read.
        (await desk.ReleaseAsync(IdOf(items, bad[2].CorrelationId), Access.All, CancellationToken.None)).Refusal.ShouldBeNull();
        await Eventually.UntilAsync(
            async () => (await ItemsAsync(database)).Exists(i => i.Subject == bad[2].CorrelationId.ToString()),
            Soon, "it is set aside again");
        (await desk.DropAsync(IdOf(items, dropped), Access.All, CancellationToken.None)).Refusal.ShouldBeNull();
        (await database.GetAsync(dropped)).State.ShouldBe(TaskStates.Cancelled);
        (await desk.DropAsync(IdOf(items, dropped), Access.All, CancellationToken.None)).Item.ShouldBeNull();
        (await ItemsAsync(database)).Count.ShouldBe(Poison - 2);
        await sweep.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task Dropping_an_item_leaves_a_recovered_task_unchanged()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var engine = new TestEngine(database.Address);
        var now = Micros.Now(TimeProvider.System);
        var task = TestTasks.New(change: t => Claimed(t, now.AddSeconds(-60)));
        await engine.Store.GivenAsync(database, task);
        await using (var db = database.CreateContext())
            await BreakAsync(db, [task.CorrelationId], "{");

        using var sweep = Sweep(engine);
        await sweep.StartAsync(CancellationToken.None);
        await Eventually.UntilAsync(async () => (await ItemsAsync(database)).Count == 1, Soon, "it is set aside");
        await sweep.StopAsync(CancellationToken.None);
        await using (var db = database.CreateContext()) // like the late heartbeat of its worker
            await db.Running.ExecuteUpdateAsync(t => t.SetProperty(x => x.LeaseUntil, now.AddHours(1)));

        var desk = engine.Services.GetRequiredService<QuarantineService>();
        var item = (await ItemsAsync(database)).Single();
        (await desk.DropAsync(item.Id, Access.All, CancellationToken.None)).Refusal.ShouldBeNull();
        (await database.GetAsync(task.CorrelationId)).State.ShouldBe(TaskStates.Running);
        (await ItemsAsync(database)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(DatabaseProvider.Sqlite)]
    [InlineData(DatabaseProvider.Postgres)]
    public async Task Rows_that_cannot_be_changed_are_listed_and_skipped(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var now = Micros.Now(TimeProvider.System);
        var bad = Enumerable.Range(0, Poison).Select(i => TestTasks.New(change: t => Claimed(t, now.AddSeconds(-60 - i)))).ToList();
        bad.ForEach(t => t.Name = "poison");
        var good = TestTasks.New(change: t => Claimed(t, now.AddSeconds(-1)));
        await engine.Store.GivenAsync(database, [.. bad, good]);
        await using (var db = database.CreateContext())
        {
            await db.Database.ExecuteSqlRawAsync(provider == DatabaseProvider.Sqlite
                ? Refuse("update") + Refuse("delete")
                : "create function poison() returns trigger language plpgsql as $$ begin raise exception 'poison'; end $$; create trigger "
                    + "poison before update or delete on running for each row when (old.name = 'poison') execute function poison()");
        }

        using var sweep = Sweep(engine);
        await sweep.StartAsync(CancellationToken.None);
        await Eventually.UntilAsync(
            async () => (await database.GetAsync(good.CorrelationId)).State == TaskStates.Retrying, Soon, "the good lease is recovered");
        await Eventually.UntilAsync(async () => (await ItemsAsync(database)).Count >= 50, Later, "the others are listed");
        (await ItemsAsync(database)).ShouldAllBe(i => i.State == null && i.Reason.Contains("poison"));
        await sweep.StopAsync(CancellationToken.None);

        static string Refuse(string verb) => $"create trigger poison_{verb} before {verb} on running when old.name = 'poison' "
            + "begin select raise(abort, 'poison'); end;";
    }

    [Fact]
    public async Task Failing_dispatches_and_expiries_are_quarantined_and_released_unchanged()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        WatchedStore store = null!;
        await using var engine = new TestEngine(database.Address, decorate: inner => store = new WatchedStore(inner));
        var now = Micros.Now(TimeProvider.System);
        var push = TestTasks.New(change: t => (t.Push, t.DispatchAt, t.Name) = (true, now.AddSeconds(-9), "poison"));
        var late = TestTasks.New(change: t => (t.DueAt, t.ExpiresAt, t.Name) = (now.AddSeconds(-9), now.AddSeconds(-5), "poison"));
        var others = new[] { TestTasks.New(change: t => (t.Push, t.DispatchAt) = (true, now.AddSeconds(-1))),
            TestTasks.New(change: t => t.ExpiresAt = now.AddSeconds(-1)) };
        await engine.Store.InsertAsync([push, late, .. others]);
        store.Fault = tasks => tasks.Any(t => t.Name == "poison") ? new InvalidOperationException("cannot be saved") : null;

        IHostedService[] sweeps = [Dispatches(engine), Expiries(engine)];
        foreach (var sweep in sweeps)
            await sweep.StartAsync(CancellationToken.None);
        await Eventually.UntilAsync(
            async () => (await database.GetAsync(others[1].CorrelationId)).State == TaskStates.Expired, Soon, "the other one expires");
        await Eventually.UntilAsync(async () => (await ItemsAsync(database)).Count == 2, Soon, "both are set aside");
        var items = await ItemsAsync(database);
        items.Select(i => (i.Kind, i.Subject)).Order()
            .ShouldBe([("dispatch", push.CorrelationId.ToString()), ("expiry", late.CorrelationId.ToString())]);
        (await database.GetAsync(push.CorrelationId)).DispatchAt.ShouldBeNull();
        (await engine.Store.ClaimAsync(new ClaimRequest([new("q", 0)], 10, "w", 1000), now))
            .ShouldNotContain(t => t.CorrelationId == late.CorrelationId, "nobody starts what should have expired");

        store.Fault = null;
        var desk = engine.Services.GetRequiredService<QuarantineService>();
        foreach (var item in items)
            (await desk.ReleaseAsync(item.Id, Access.All, CancellationToken.None)).Refusal.ShouldBeNull();
        await Eventually.UntilAsync(
            async () => (await database.GetAsync(late.CorrelationId)).State == TaskStates.Expired, Soon, "it expires");
        (await database.GetAsync(late.CorrelationId)).DueAt.ShouldBe(late.DueAt);
        await Eventually.UntilAsync(async () => (await database.GetAsync(push.CorrelationId)).DispatchAt > now, Soon, "it is dispatched");
        foreach (var sweep in sweeps)
        {
            await sweep.StopAsync(CancellationToken.None);
            ((IDisposable)sweep).Dispose();
        }
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Old_refused_messages_and_those_over_an_owners_limit_are_removed(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(
            database.Address,
            settings: new() { ["TaskQueue:Quarantine:KeepMessagesDays"] = "7", ["TaskQueue:Quarantine:MaxMessages"] = "100" });
        var now = Micros.Now(TimeProvider.System);
        await using (var db = database.CreateContext())
        {
            db.Quarantine.AddRange(Enumerable.Range(0, 130).Select(i => Item("message", $"many-{i:000}", "ann", now.AddMinutes(i - 200))));
            db.Quarantine.AddRange(Item("message", "old", "ben", now.AddDays(-8)), Item("message", "young", "ben", now.AddDays(-6)),
                Item("lease", "kept", "ben", now.AddDays(-90)));
            await db.SaveChangesAsync();
        }

        var retention = ActivatorUtilities.CreateInstance<RefusedMessageRetention>(engine.Services);
        (await retention.RunAsync(() => { }, CancellationToken.None)).ShouldBe(31, "the others are removed");

        var left = (await ItemsAsync(database)).ConvertAll(i => i.Subject);
        left.ShouldBe([.. Enumerable.Range(30, 100).Select(i => $"many-{i:000}"), "young", "kept"], ignoreOrder: true);

        static QuarantinedItem Item(string kind, string subject, string owner, DateTime at) =>
            new() { Kind = kind, Subject = subject, Owner = owner, At = at, Reason = "r" };
    }

    [Fact]
    public async Task A_repeated_quarantine_is_counted_and_database_faults_blame_no_row()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var engine = new TestEngine(database.Address);
        var quarantine = engine.Services.GetRequiredService<IQuarantine>();
        for (var i = 1; i <= 2; i++)
            await quarantine.AddAsync(new QuarantinedItem { Kind = "message", Subject = "m", Queue = "q",
                Reason = $"half \ud800 and \0 {i}", State = "s" }, CancellationToken.None);
        var item = (await ItemsAsync(database)).ShouldHaveSingleItem();
        (item.Count, item.State, item.Reason.Last()).ShouldBe((2, "s", '2'));
        TaskQueue.Engine.TextRules.IsClean(item.Reason).ShouldBeTrue();

        await database.RenameTableAsync("quarantine", "away");
        await quarantine.AddAsync(new QuarantinedItem { Kind = "message", Subject = "n", Reason = "r" },
            CancellationToken.None); // does not throw
        StorageFaults.IsOfRow(new Microsoft.Data.Sqlite.SqliteException("disk full", 13)).ShouldBeFalse();
        StorageFaults.IsOfRow(new TimeoutException()).ShouldBeFalse();
        StorageFaults.Use(new PostgresFaultClassifier());
        StorageFaults.IsOfRow(new Npgsql.PostgresException("read-only", "ERROR", "ERROR", "25006")).ShouldBeFalse();
        StorageFaults.IsOfRow(new Npgsql.PostgresException("NUL", "ERROR", "ERROR", "22021")).ShouldBeTrue();
        StorageFaults.IsOfRow(new InvalidOperationException("x", new FormatException())).ShouldBeTrue();
    }

    private static long IdOf(List<QuarantinedItem> items, Guid task) => items.Single(i => i.Subject == task.ToString()).Id;

    private static void Claimed(TaskState task, DateTime until)
    {
        (task.State, task.Attempt, task.AttemptsLeft, task.Worker) = (TaskStates.Running, 1, 2, "w");
        (task.LeaseMs, task.LeaseUntil, task.Owner) = (1000, until, "ann");
    }

    /// <summary>Changes the completion actions of running tasks, wherever they are stored.</summary>
    private static async Task BreakAsync(TaskDbContext db, List<Guid> ids, string? actions, int attemptsLeft = 0)
    {
        await db.Submitted.Where(t => ids.Contains(t.CorrelationId))
            .ExecuteUpdateAsync(t => t.SetProperty(x => x.CompletionActions, actions));
        await db.Running.Where(t => ids.Contains(t.CorrelationId))
            .ExecuteUpdateAsync(t => t.SetProperty(x => x.CompletionActions, actions).SetProperty(x => x.AttemptsLeft, attemptsLeft));
    }

    private static async Task<List<QuarantinedItem>> ItemsAsync(TestDatabase database)
    {
        await using var db = database.CreateContext();
        return await db.Quarantine.AsNoTracking().OrderBy(q => q.Id).ToListAsync();
    }

    private static LeaseSweep Sweep(TestEngine engine) =>
        new(engine.Store, engine.Tasks, engine.Services.GetRequiredService<TaskQuarantine>(),
            engine.Services.GetRequiredService<DatabaseWatch>(), engine.Services.GetRequiredService<PollingServices>());

    private static ExpirySweep Expiries(TestEngine engine) =>
        new(engine.Store, engine.Tasks, engine.Services.GetRequiredService<TaskQuarantine>(),
            engine.Services.GetRequiredService<PollingServices>());

    private static DispatchSweep Dispatches(TestEngine engine) =>
        new(engine.Store, engine.Tasks, engine.Services.GetRequiredService<TaskQuarantine>(),
            engine.Services.GetRequiredService<WorkNotifier>(), engine.Services.GetRequiredService<InFlightLimiter>(),
            new BusTransport(IsInProcess: false), engine.Services.GetRequiredService<PollingServices>());
}
