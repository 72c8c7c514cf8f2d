using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Shouldly;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Scaling;
using TaskQueue.Engine.Statistics;
using TaskQueue.Engine.Tasks;
using TaskQueue.Scheduler.Retention;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Statistics on a database of each provider.</summary>
public sealed class StatisticsTests
{
    private static readonly DateTime T0 = new(2031, 2, 3, 4, 0, 0, DateTimeKind.Utc);
    private static readonly CancellationToken Never = CancellationToken.None;

    public static TheoryData<DatabaseProvider> Providers => TestDatabase.Providers;

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Counts_of_three_processes_are_added_and_the_highest_sample_stays(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var store = engine.Services.GetRequiredService<IStatisticsStore>();
        await Task.WhenAll(Enumerable.Range(1, 3).Select(async process =>
        {
            for (var i = 0; i < 5; i++)
                await store.AddAsync([.. Enumerable.Range(0, 20).Select(n => Counts($"q{n}", process, T0))], Never);
            await store.AddAsync([MinuteCounts.Sample("q3", T0, process * 10, process == 2 ? 700 : null)], Never);
        }));
        await store.AddAsync([MinuteCounts.Sample("q4", T0, 1, 5), MinuteCounts.Sample("only", T0, 2, null)], Never);

        var rows = await ReadAsync(store, StatisticsStep.Minute);

        rows.Count.ShouldBe(21);
        rows.Where(r => r.Queue != "only").ShouldAllBe(r => r.Submitted == 30 && r.RunMicros == 30 && r.B21 == 30 && r.B0 == 30);
        rows.Single(r => r.Queue == "q3").ShouldSatisfyAllConditions(r => r.Waiting.ShouldBe(30), r => r.OldestMs.ShouldBe(700));
        rows.Single(r => r.Queue == "q4").OldestMs.ShouldBe(5);
        rows.Single(r => r.Queue == "only").ShouldSatisfyAllConditions(r => r.Waiting.ShouldBe(2), r => r.OldestMs.ShouldBeNull());
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Every_step_of_a_task_is_counted_once_by_whoever_commits_it(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        await engine.Committer.StartAsync(Never);
        var (tasks, counter) = (engine.Tasks, engine.Services.GetRequiredService<StatisticsCounter>());
        await tasks.SubmitAsync(Of("a"));
        await tasks.SubmitManyAsync([Of("a"), Of("a"), Of("b"), Of(null) with { DedupeKey = "k" }]);
        await tasks.SubmitManyAsync([Of(null) with { DedupeKey = "k" }]); // a duplicate is no task
        var claimed = await engine.Claims.ClaimAsync(new ClaimRequest([new("q", 0)], 3, "w", null), TimeSpan.Zero, Never);
        var byOwner = claimed.Count(t => t.Owner == "a");
        await tasks.ApplyAsync([tasks.Complete(claimed[0].CorrelationId, 1, null, "1")]);
        await tasks.ApplyAsync([tasks.Fail(claimed[1].CorrelationId, 1, null, "e", retryable: true)]);
        await tasks.ApplyAsync([tasks.Fail(claimed[2].CorrelationId, 1, null, "e", retryable: false)]);
        await tasks.ApplyAsync([tasks.Complete(claimed[0].CorrelationId, 1, null, "1")]); // a duplicate
        await tasks.CancelAsync(claimed[1].CorrelationId, Access.All);

        var taken = counter.Take();

        Sum(taken).ShouldBe([5, 3, 1, 1, 1, 1, 0, 3]);
        Sum(taken.Where(t => t.Owner == "a"))[..2].ShouldBe([3, byOwner]);
        taken.Sum(t => t.Counts[StatisticsCounts.Buckets..].Sum()).ShouldBe(3);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_tenant_gets_the_counts_of_its_own_tasks(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var store = engine.Services.GetRequiredService<IStatisticsStore>();
        await store.AddAsync(
            [Counts("q", 1, T0, "a"), Counts("q", 2, T0, "b"), Counts("q", 4, T0), Counts("r", 8, T0, "a"),
                Counts("s-1", 16, T0, "b")], Never);
        await store.AddAsync([MinuteCounts.Sample("q", T0, 9, 9)], Never);

        (await SumAsync(Access.All)).ShouldBe(31);
        (await SumAsync(Access.All, "q")).ShouldBe(7);
        (await SumAsync(Access.Of("a"))).ShouldBe(9);
        (await SumAsync(Access.Of("a", "q"))).ShouldBe(1);
        (await SumAsync(Access.Of("b") with { Others = QueuePatterns.Of(["q"]) })).ShouldBe(23);
        (await SumAsync(Access.Of("c"))).ShouldBe(0);
        (await ReadAsync(store, StatisticsStep.Minute, Access.Of("a"))).ShouldAllBe(r => r.Waiting == 0);

        async Task<long> SumAsync(Access access, params string[] queues) =>
            (await ReadAsync(store, StatisticsStep.Minute, access, queues)).Sum(r => r.Submitted);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Minutes_become_hours_and_days_and_old_ones_are_removed(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var store = engine.Services.GetRequiredService<IStatisticsStore>();
        var time = new SteppedTime();
        time.Step(T0.AddMinutes(10) - TimeProvider.System.GetUtcNow().UtcDateTime);
        var job = new StatisticsRollUp(store, Options.Create(new StatisticsOptions()), time);
        (await job.RunAsync(() => { }, Never)).ShouldBe(0);
        await store.AddAsync([Counts("q", 1, T0.AddMinutes(-70)), Counts("q", 2, T0.AddMinutes(-1)), Counts("q", 4, T0.AddMinutes(9)),
            Counts("q", 8, T0.AddMinutes(9), "a"), MinuteCounts.Sample("q", T0.AddMinutes(8), 3, 5),
            MinuteCounts.Sample("q", T0, 2, 9)], Never);

        for (var again = 0; again < 2; again++)
        {
            await job.RunAsync(() => { }, Never);
            var hours = await ReadAsync(store, StatisticsStep.Hour);
            hours.Select(h => (h.At, h.Submitted, h.Waiting, h.OldestMs)).ShouldBe(
                [(T0.AddHours(-2), 1, 0, null), (T0.AddHours(-1), 2, 0, null), (T0, 12, 3, 9L)]);
            (await ReadAsync(store, StatisticsStep.Day)).Select(d => (d.At, d.Submitted, d.Waiting)).ShouldBe([(T0.Date, 15L, 3L)]);
            (await ReadAsync(store, StatisticsStep.Hour, Access.Of("a"))).Single().Submitted.ShouldBe(8);
        }

        await store.AddAsync([Counts("q", 16, T0.AddMinutes(-2))], Never); // of a process that could not write for a while
        time.Step(TimeSpan.FromHours(72)); // no scheduler ran for three days
        await store.AddAsync([Counts("q", 32, T0.AddHours(70))], Never);
        await job.RunAsync(() => { }, Never);
        (await job.RunAsync(() => { }, Never)).ShouldBeGreaterThan(0); // what the first run has computed
        (await ReadAsync(store, StatisticsStep.Hour)).Select(h => h.Submitted).ShouldBe([1, 18, 12, 32]);
        (await ReadAsync(store, StatisticsStep.Day)).Sum(d => d.Submitted).ShouldBe(63);

        time.Step(TimeSpan.FromHours(72));
        await job.RunAsync(() => { }, Never);
        await job.RunAsync(() => { }, Never);
        (await ReadAsync(store, StatisticsStep.Minute)).ShouldBeEmpty();
        (await ReadAsync(store, StatisticsStep.Hour)).Sum(h => h.Submitted).ShouldBe(63);
        time.Step(TimeSpan.FromDays(40));
        await job.RunAsync(() => { }, Never);
        await job.RunAsync(() => { }, Never);
        (await ReadAsync(store, StatisticsStep.Hour)).ShouldBeEmpty();
        (await ReadAsync(store, StatisticsStep.Day)).Sum(d => d.Submitted).ShouldBe(63);
        time.Step(TimeSpan.FromDays(800));
        await job.RunAsync(() => { }, Never);
        (await ReadAsync(store, StatisticsStep.Day)).ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Of_an_hour_the_busiest_queues_are_kept_and_the_others_of_an_owner_are_added_up(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var store = engine.Services.GetRequiredService<IStatisticsStore>();
        var time = new SteppedTime();
        time.Step(T0.AddMinutes(10) - TimeProvider.System.GetUtcNow().UtcDateTime);
        await store.AddAsync([.. Enumerable.Range(1, 15).Select(n => Counts($"q{n}", n, T0, "a")), Counts("r", 100, T0, "b"),
            Counts("s", 1, T0, "b"), Counts("q2", 3, T0.AddMinutes(1), "a"), MinuteCounts.Sample("waits", T0, 3, 5)], Never);
        var job = new StatisticsRollUp(store, Options.Create(new StatisticsOptions { MaxKeptSeries = 10 }), time);

        for (var again = 0; again < 2; again++)
        {
            await job.RunAsync(() => { }, Never);
            foreach (var step in new[] { StatisticsStep.Hour, StatisticsStep.Day })
            {
                (await ReadAsync(store, step)).ToDictionary(r => r.Queue, r => r.Submitted).ShouldBe(
                    new Dictionary<string, long>
                    {
                        [""] = 1 + 5 + 3 + 4 + 5 + 6 + 7 + 1, ["q8"] = 8, ["q9"] = 9, ["q10"] = 10, ["q11"] = 11, ["q12"] = 12,
                        ["q13"] = 13, ["q14"] = 14, ["q15"] = 15, ["r"] = 100, ["waits"] = 0,
                    }, ignoreOrder: true);
                (await ReadAsync(store, step, Access.Of("b"))).Select(r => (r.Queue, r.Submitted)).ShouldBe([("", 1), ("r", 100)]);
                (await ReadAsync(store, step)).Single(r => r.Queue is "waits").Waiting.ShouldBe(3);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task The_scheduler_samples_what_waits(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        await engine.Committer.StartAsync(Never);
        await engine.Tasks.SubmitManyAsync([Of("a"), Of("a") with { Tier = 2 },
            Of(null) with { ScheduledAt = TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(1) }]);
        var store = engine.Services.GetRequiredService<IStatisticsStore>();
        var time = new SteppedTime();
        time.Step(TimeSpan.FromMinutes(5));

        var backlog = engine.Services.GetRequiredService<IBacklogStore>();
        await new StatisticsSample(backlog, store, Options.Create(new StatisticsOptions()), time).RunAsync(() => { }, Never);

        var now = time.GetUtcNow().UtcDateTime;
        var row = (await store.ReadAsync(new(StatisticsStep.Minute, now.AddMinutes(-2), now, []), Access.All, 10, Never))
            .ShouldHaveSingleItem();
        (row.Queue, row.Waiting).ShouldBe(("q", 3));
        row.OldestMs!.Value.ShouldBeInRange(299_000, 330_000);
    }

    private static TaskSubmission Of(string? owner) => new(Guid.CreateVersion7(), "q", "{}") { Owner = owner };

    private static MinuteCounts Counts(string queue, long each, DateTime at, string owner = "") =>
        new(queue, owner, at, [.. Enumerable.Repeat(each, StatisticsCounts.Length)]);

    private static long[] Sum(IEnumerable<MinuteCounts> counts)
    {
        var sum = new long[StatisticsCounts.RunMicros];
        foreach (var some in counts)
        {
            for (var i = 0; i < sum.Length; i++)
                sum[i] += some.Counts[i];
        }

        return sum;
    }

    private static Task<IReadOnlyList<StatisticsRow>> ReadAsync(
        IStatisticsStore store, StatisticsStep step, Access? access = null, params string[] queues) =>
        store.ReadAsync(new(step, T0.AddYears(-1), T0.AddYears(9), queues), access ?? Access.All, 1000, Never);
}
