using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Workers;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>Groups of failures, on each database.</summary>
public sealed class FailureStoreTests
{
    private static readonly Access Ann = Access.Of("ann"), Ben = Access.Of("ben");

    public static TheoryData<DatabaseProvider> Providers => TestDatabase.Providers;

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Failed_attempts_and_lost_workers_are_counted_when_they_are_committed(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var tasks = Enumerable.Range(1, 3).Select(n => Running("ann")).ToList();
        await engine.Store.GivenAsync(database, tasks);
        var at = T0.AddMinutes(2);

        await engine.SendAsync(
            new FailTask(tasks[0].CorrelationId, T0, 1, "w", "row 1 is broken", true) { ErrorType = "E", Stack = "here" });
        await engine.SendAsync(new FailTask(tasks[0].CorrelationId, T0, 1, "w", "row 1 is broken", true)); // late
        await engine.SendAsync(new FailTask(tasks[1].CorrelationId, T0, 1, "w", "row 22 is broken", false) { ErrorType = "E" });
        await engine.SendAsync(new ExpireLease(tasks[2].CorrelationId, at));
        await FlushAsync(engine);

        var groups = await engine.Failures.ListAsync(new FailureFilter(), null, 10, Ann, default);
        groups.Select(g => (g.Kind, g.ErrorType, g.Queue, g.Name, g.Count, g.State)).ShouldBe(
            [(FailureKind.Crash, null, "q", "a", 1, FailureState.Open), (FailureKind.Error, "E", "q", "a", 2, FailureState.Open)]);
        groups[1].Message.ShouldBe("row <n> is broken");
        groups[1].Samples.Select(s => s.TaskId).ShouldBe([tasks[1].CorrelationId, tasks[0].CorrelationId]);
        (groups[0].FirstSeenAt, groups[0].LastSeenAt).ShouldBe((at, at));
        var details = (await engine.Failures.FindAsync(groups[1].Id, Ann, default)).ShouldNotBeNull();
        details.Samples.Select(s => (s.Error, s.Stack, s.Worker, s.Attempt)).ShouldBe(
            [("row 22 is broken", null, "w", 1), ("row 1 is broken", "here", "w", 1)]);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Several_processes_count_in_the_same_groups_and_five_samples_are_kept(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var processes = Enumerable.Range(0, 4).Select(_ => new FailureCounts()).ToList();

        await Task.WhenAll(processes.Select(async counts =>
        {
            for (var round = 0; round < 5; round++)
            {
                for (var i = 0; i < 10; i++)
                    counts.Add(Failure("ann", $"q{i % 2}", round));
                await engine.FailureCounter.AddAsync(counts.Take(), new FailureOptions(), default);
            }
        }));

        var groups = await engine.Failures.ListAsync(new FailureFilter(), null, 10, Access.All, default);
        groups.Select(g => g.Count).ShouldBe([100, 100]);
        groups.ShouldAllBe(g => g.Samples.Count == 5);
        await using var db = database.CreateContext();
        db.FailureSamples.Count().ShouldBe(10);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_tenant_sees_and_changes_its_own_groups_and_a_failure_opens_a_resolved_one(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        await AddAsync(engine, Failure("ann", "q", 1), Failure("ben", "q", 1), Failure(null, "q", 1));

        (await engine.Failures.ListAsync(new FailureFilter(), null, 10, Access.All, default)).Count.ShouldBe(3);
        var hers = (await engine.Failures.ListAsync(new FailureFilter(), null, 10, Ann, default)).ShouldHaveSingleItem();
        hers.Owner.ShouldBe("ann");
        (await engine.Failures.FindAsync(hers.Id, Ben, default)).ShouldBeNull();
        (await engine.Failures.ChangeAsync(hers.Id, FailureState.Resolved, At(2), Ben, default)).ShouldBeNull();
        (await engine.Failures.ChangeAsync(hers.Id, FailureState.Resolved, At(2), Ann, default)).ShouldBe(FailureState.Open);

        await AddAsync(engine, Failure("ann", "q", 2)); // failed before, and counted late
        (await StateAsync(engine, hers.Id)).ShouldBe((FailureState.Resolved, false, 2));
        await AddAsync(engine, Failure("ann", "q", 3));
        (await StateAsync(engine, hers.Id)).ShouldBe((FailureState.Open, true, 3));

        (await engine.Failures.ChangeAsync(hers.Id, FailureState.Ignored, At(4), Ann, default)).ShouldBe(FailureState.Open);
        await AddAsync(engine, Failure("ann", "q", 5));
        (await StateAsync(engine, hers.Id)).ShouldBe((FailureState.Ignored, false, 4));
        (await engine.Failures.ListAsync(new FailureFilter { State = FailureState.Open }, null, 10, Ann, default)).ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Lists_are_filtered_and_paged(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        await AddAsync(engine, [.. Enumerable.Range(0, 7).Select(i => Failure("ann", $"q{i}", i / 2))]);

        var read = new List<string>();
        for (FailureCursor? cursor = null; ;)
        {
            var page = await engine.Failures.ListAsync(new FailureFilter(), cursor, 2, Ann, default);
            read.AddRange(page.Select(g => g.Queue));
            if (page.Count < 2)
                break;
            cursor = new FailureCursor(page[^1].LastSeenAt, page[^1].Id);
        }

        read.ShouldBeUnique();
        read.Count.ShouldBe(7);
        read[0].ShouldBe("q6");
        (await engine.Failures.ListAsync(new FailureFilter { Queue = "q3" }, null, 10, Ann, default)).ShouldHaveSingleItem();
        (await engine.Failures.ListAsync(new FailureFilter { Name = "b" }, null, 10, Ann, default)).ShouldBeEmpty();
        (await engine.Failures.ListAsync(new FailureFilter { Kind = FailureKind.Crash }, null, 10, Ann, default)).ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Too_many_groups_are_counted_together_and_old_ones_are_removed(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var limits = new FailureOptions { MaxGroupsPerTenant = 3, MaxGroups = 5 };
        var counts = new FailureCounts();
        foreach (var owner in new[] { "ann", "ben", "cid" })
        {
            for (var i = 0; i < 6; i++)
                counts.Add(Failure(owner, $"q{i}", i));
            await engine.FailureCounter.AddAsync(counts.Take(), limits, default);
        }

        var groups = await engine.Failures.ListAsync(new FailureFilter(), null, 100, Access.All, default);
        groups.Sum(g => g.Count).ShouldBe(18);
        groups.CountBy(g => g.Owner!).ShouldBe([new("ann", 4), new("ben", 2), new("cid", 1)], ignoreOrder: true);
        groups.Count(g => g.Message == FailureKey.OtherMessage).ShouldBe(3);

        await engine.Failures.ChangeAsync(groups[0].Id, FailureState.Resolved, At(0), Access.All, default);
        (await engine.Failures.RemoveAsync(FailureState.Resolved, At(60), 10)).ShouldBe(1);
        (await engine.Failures.RemoveAsync(null, At(60), 3)).ShouldBe(3);
        (await engine.Failures.RemoveAsync(null, At(60), 10)).ShouldBe(3);
        await using var db = database.CreateContext();
        (db.FailureGroups.Count(), db.FailureSamples.Count()).ShouldBe((0, 0));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_group_has_the_newest_versions_of_the_workers_that_failed(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var workers = engine.Services.GetRequiredService<IWorkerStore>();
        await workers.WriteAsync([.. Enumerable.Range(1, 7).Select(n => Listed($"w{n}", "key", $"1.{n}"))], default);
        await workers.WriteAsync([Listed("w1", "other", "2.0"), Listed("silent", "key", null)], default);

        await AddAsync(engine, By("w1", "key"), By("unknown", "key"), By("silent", "key"), By("w1", "unknown"));
        (await VersionsAsync()).ShouldBe(["1.1"]);
        await AddAsync(engine, By("w2", "key"), By("w3", "key"), By("w2", "key"));
        await AddAsync(engine, By("w1", "key"));
        (await VersionsAsync()).ShouldBe(["1.1", "1.3", "1.2"]);
        await AddAsync(engine, [.. Enumerable.Range(4, 4).Select(n => By($"w{n}", "key")), By("w1", "other")]);
        (await VersionsAsync()).ShouldBe(["2.0", "1.7", "1.6", "1.5", "1.4"]);

        static Failure By(string worker, string key) => Failure("ann", "q", 1) with { Worker = new FailedWorker(worker, key) };

        static WorkerSighting Listed(string name, string credential, string? version)
        {
            var key = new WorkerKey("ann", credential, name);
            return new(new WorkerEntry(key, T0).Id, key, new WorkerContact(WorkerContact.Http, "ann") { Version = version }, null, T0, T0,
                HasStopped: false);
        }

        async Task<IReadOnlyList<string>> VersionsAsync() => FailureRules.VersionsOf(
            (await engine.Failures.ListAsync(new FailureFilter(), null, 10, Ann, default)).ShouldHaveSingleItem());
    }

    private static TaskState Running(string owner) => New(change: t =>
    {
        (t.State, t.Attempt, t.AttemptsLeft, t.Worker, t.Owner, t.Name) = (TaskStates.Running, 1, 2, "w", owner, "a");
        (t.LeaseMs, t.StartedAt, t.LeaseUntil) = (60_000, T0, T0.AddMinutes(1));
    });

    private static DateTime At(int minute) => T0.AddMinutes(minute);

    private static Failure Failure(string? owner, string queue, int minute) =>
        new(owner, queue, "a", FailureKind.Error, "E",
            new FailureSample { TaskId = Guid.NewGuid(), Attempt = 1, At = At(minute), Error = "broken" });

    private static async Task AddAsync(TestEngine engine, params Failure[] failures)
    {
        var counts = new FailureCounts();
        foreach (var failure in failures)
            counts.Add(failure);
        await engine.FailureCounter.AddAsync(counts.Take(), new FailureOptions(), default);
    }

    private static Task FlushAsync(TestEngine engine) =>
        engine.FailureCounter.AddAsync(engine.FailureCounts.Take(), new FailureOptions(), default);

    private static async Task<(FailureState, bool, long)> StateAsync(TestEngine engine, Guid id) =>
        (await engine.Failures.FindAsync(id, Access.All, default)) is { } group ? (group.State, group.Regressed, group.Count) : default;
}
