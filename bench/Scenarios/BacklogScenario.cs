using System.Diagnostics;
using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>
/// Statistics, metrics, lists and claims with many finished and waiting tasks, against a hundredth as many finished and
/// as many waiting as are claimed.
/// </summary>
internal static class BacklogScenario
{
    private const int Batch = 10;
    private const string Small = "a hundredth finished, few waiting";
    private const double LeaseSeconds = 3600; // nothing is reported, and no lease may expire

    /// <summary>Reads whose cost grows with waiting and running tasks, so both databases have as many.</summary>
    private static readonly string[] Statistics = [$"/queues/{Bodies.PullQueue}", "/queues", $"/scaling/{Bodies.PullQueue}"];

    private static readonly string[] Lists =
    [
        "/tasks",
        .. ((string[])["pending", "running", "completed", "failed", "retrying", "cancelled", "expired"]).Select(s => $"/tasks?status={s}"),
        .. ((string[])["live", "waiting", "running", "dead"]).Select(l => $"/queues/{Bodies.PullQueue}/tasks?list={l}"),
    ];

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        var (sizes, few) = (run.Sizes, Batch * (run.Sizes.WarmUps + run.Sizes.BacklogClaims) * (run.Options.Repeat + 1));
        await using var small = await CreateAsync(run, sizes.BacklogFinished / 100, few); // so that pages are as long
        await using var large = await CreateAsync(run, sizes.BacklogFinished, few);
        var finished = $"{sizes.BacklogFinished:#,0} finished tasks";
        var figures = new List<Figure>();
        await CompareAsync($"beside {finished}", database => BacklogReads.MeasureAsync(run, database, Statistics));
        await CompareAsync($"beside {finished}", database => BacklogReads.ScrapeAsync(run, database, few));

        run.Say($"inserting {sizes.BacklogWaiting:#,0} waiting tasks");
        await large.InsertTasksAsync(new TaskRow(Bodies.PullQueue, IsMixed: true), sizes.BacklogFinished + few + 1, sizes.BacklogWaiting);
        await large.TidyTasksAsync();
        var both = $"beside {finished} and {sizes.BacklogWaiting:#,0} waiting ones";
        await CompareAsync(both, database => MeasureClaimsAsync(run, database));
        await CompareAsync(both, database => BacklogReads.MeasureAsync(run, database, Lists));
        return figures;

        async Task CompareAsync(string load, Func<BenchDatabase, Task<Reads>> measureAsync)
        {
            var (measured, reference) = await run.AlternateAsync(() => measureAsync(small), () => measureAsync(large));
            // A list of dead letters has a second page in one of them only.
            var names = measured[0].Times.Keys.Where(name => measured.Concat(reference).All(s => s.Times.ContainsKey(name)));
            figures.AddRange(names.Select(name => new Figure(
                $"{name}, {load}", SeriesOf(measured, name), new Reference(Small, SeriesOf(reference, name)), Goal.RatioAtMost(1.5))));
        }

        static Series SeriesOf(List<Reads> samples, string name) => new([.. samples.Select(s => s.Times[name])], Unit.Milliseconds);
    }

    private static async Task<BenchDatabase> CreateAsync(BenchRun run, int finished, int waiting)
    {
        var database = await run.CreateDatabaseAsync();
        try
        {
            run.Say($"inserting {finished:#,0} finished and {waiting:#,0} waiting tasks");
            await database.InsertTasksAsync(new TaskRow(Bodies.PullQueue, IsFinished: true, IsMixed: true), 1, finished);
            await database.InsertTasksAsync(new TaskRow(Bodies.PullQueue, IsMixed: true), finished + 1, waiting);
            await database.TidyTasksAsync();
            return database;
        }
        catch
        {
            await database.DisposeAsync();
            throw;
        }
    }

    private static async Task<Reads> MeasureClaimsAsync(BenchRun run, BenchDatabase database)
    {
        using var server = await run.StartServerAsync(database);
        var worker = new PullWorker(server.Http, Batch, LeaseSeconds);
        for (var i = 0; i < run.Sizes.WarmUps; i++)
            await ClaimAsync();
        await database.ExecuteAsync("checkpoint");
        var times = new List<TimeSpan>();
        while (times.Count < run.Sizes.BacklogClaims)
        {
            var since = Stopwatch.GetTimestamp();
            await ClaimAsync();
            times.Add(Stopwatch.GetElapsedTime(since));
        }

        server.DemandNoTrouble();
        var latency = Latency.Of(times);
        return new Reads(new Dictionary<string, double>
        {
            [$"claim of {Batch}, p50"] = latency.P50,
            [$"claim of {Batch}, p99"] = latency.P99,
        });

        async Task ClaimAsync()
        {
            if (await worker.ClaimAsync(run.Stop) is var claimed && claimed != Batch)
                throw new BenchException($"a claim of {Batch} tasks got {claimed}, although more are waiting");
        }
    }
}

/// <summary>Milliseconds by what was read.</summary>
internal sealed record Reads(IReadOnlyDictionary<string, double> Times)
{
    public override string ToString() => string.Join(", ", Times.Select(t => $"{t.Key} {t.Value:0.00} ms"));
}
