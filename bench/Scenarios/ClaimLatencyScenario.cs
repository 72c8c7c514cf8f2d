using System.Diagnostics;
using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>Claim latency with many finished tasks, against none.</summary>
internal static class ClaimLatencyScenario
{
    private const int Batch = 10;
    private const double LeaseSeconds = 3600; // nothing is reported, and no lease may expire

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        await using var few = await CreateAsync(run, finished: 0);
        await using var many = await CreateAsync(run, run.Sizes.LatencyFinished);
        var (measured, reference) = await run.AlternateAsync(() => MeasureAsync(run, few), () => MeasureAsync(run, many));
        return [Row("p50", l => l.P50), Row("p99", l => l.P99)];

        Figure Row(string percentile, Func<Latency, double> pick) => new(
            $"claim of {Batch} among {run.Sizes.LatencyFinished:#,0} finished and {run.Sizes.LatencyWaiting:#,0} waiting tasks, "
                + $"{percentile}",
            new Series([.. measured.Select(pick)], Unit.Milliseconds),
            new Reference("none finished", new Series([.. reference.Select(pick)], Unit.Milliseconds)),
            Goal.RatioAtMost(1.3));
    }

    private static async Task<BenchDatabase> CreateAsync(BenchRun run, int finished)
    {
        var database = await run.CreateDatabaseAsync();
        try
        {
            run.Say($"inserting {finished:#,0} finished and {run.Sizes.LatencyWaiting:#,0} waiting tasks");
            await database.InsertTasksAsync(new TaskRow(Bodies.PullQueue, IsFinished: true), 1, finished);
            await database.InsertTasksAsync(new TaskRow(Bodies.PullQueue), finished + 1, run.Sizes.LatencyWaiting);
            await database.TidyTasksAsync();
            return database;
        }
        catch
        {
            await database.DisposeAsync();
            throw;
        }
    }

    private static async Task<Latency> MeasureAsync(BenchRun run, BenchDatabase database)
    {
        using var server = await run.StartServerAsync(database);
        var worker = new PullWorker(server.Http, Batch, LeaseSeconds);
        for (var i = 0; i < run.Sizes.WarmUps; i++)
            await ClaimAsync();
        await database.ExecuteAsync("checkpoint");
        var times = new List<TimeSpan>();
        while (times.Count < run.Sizes.LatencyClaims)
        {
            var since = Stopwatch.GetTimestamp();
            await ClaimAsync();
            times.Add(Stopwatch.GetElapsedTime(since));
        }

        server.DemandNoTrouble();
        return Latency.Of(times);

        async Task ClaimAsync()
        {
            if (await worker.ClaimAsync(run.Stop) is var claimed && claimed != Batch)
                throw new BenchException($"a claim of {Batch} tasks got {claimed}, although more are waiting");
        }
    }
}
