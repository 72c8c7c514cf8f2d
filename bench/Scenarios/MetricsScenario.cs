using System.Diagnostics;
using System.Globalization;
using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>A scrape of /metrics that reads the database, with many finished tasks, against none.</summary>
internal static class MetricsScenario
{
    private const string Duration = "taskqueue_backlog_duration_seconds{} ";

    /// <summary>The server's minimum refresh interval as a multiple of the duration of a read.</summary>
    private const int Share = 20;

    private static readonly TimeSpan Refresh = TimeSpan.FromSeconds(0.1);

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        await using var few = await CreateAsync(run, finished: 0);
        await using var many = await CreateAsync(run, run.Sizes.ScrapeFinished);
        var (measured, reference) = await run.AlternateAsync(() => MeasureAsync(run, few), () => MeasureAsync(run, many));
        return [Row("scrape of /metrics, p50", s => s.Scrape.P50), Row("its read of the database, p50", s => s.Read.P50)];

        Figure Row(string name, Func<Scrapes, double> pick) => new(
            $"{name}; {run.Sizes.ScrapeFinished:#,0} finished and {run.Sizes.ScrapeWaiting:#,0} waiting tasks",
            new Series([.. measured.Select(pick)], Unit.Milliseconds),
            new Reference("none finished", new Series([.. reference.Select(pick)], Unit.Milliseconds)),
            Goal.RatioAtMost(1.5));
    }

    private static async Task<BenchDatabase> CreateAsync(BenchRun run, int finished)
    {
        var database = await run.CreateDatabaseAsync();
        try
        {
            run.Say($"inserting {finished:#,0} finished and {run.Sizes.ScrapeWaiting:#,0} waiting tasks");
            await database.InsertTasksAsync(new TaskRow(Bodies.PullQueue, IsFinished: true), 1, finished);
            await database.InsertTasksAsync(new TaskRow(Bodies.PullQueue), finished + 1, run.Sizes.ScrapeWaiting);
            await database.TidyTasksAsync();
            return database;
        }
        catch
        {
            await database.DisposeAsync();
            throw;
        }
    }

    private static async Task<Scrapes> MeasureAsync(BenchRun run, BenchDatabase database)
    {
        await run.Broker.CleanAsync();
        using var server = await ServerProcess.StartAsync(BenchRun.AllRoles, database.ConnectionString, run.Options.RabbitMq, run.Stop,
            new Dictionary<string, string> { ["TaskQueue__Telemetry__RefreshSeconds"] = $"{Refresh.TotalSeconds}" });
        await ScrapeAsync(run, server);
        var (scrapes, reads) = (new List<TimeSpan>(), new List<TimeSpan>());
        while (scrapes.Count < run.Sizes.Scrapes)
        {
            var (scrape, read) = await ScrapeAsync(run, server);
            scrapes.Add(scrape);
            reads.Add(read);
        }

        server.DemandNoTrouble();
        return new Scrapes(Latency.Of(scrapes), Latency.Of(reads));
    }

    /// <summary>Scrapes once, then waits until the next scrape would read the database again.</summary>
    private static async Task<(TimeSpan Scrape, TimeSpan Read)> ScrapeAsync(BenchRun run, ServerProcess server)
    {
        var since = Stopwatch.GetTimestamp();
        var text = await server.Http.GetStringAsync(new Uri("/metrics", UriKind.Relative), run.Stop);
        var took = Stopwatch.GetElapsedTime(since);
        var line = text.Split('\n').SingleOrDefault(l => l.StartsWith(Duration, StringComparison.Ordinal))
            ?? throw new BenchException("the scrape has no duration of its read");
        if (!text.Contains($"state=\"due\"}} {run.Sizes.ScrapeWaiting}\n", StringComparison.Ordinal))
            throw new BenchException("the scrape does not show the waiting tasks");
        var read = TimeSpan.FromSeconds(double.Parse(line[Duration.Length..], CultureInfo.InvariantCulture));
        await Task.Delay(Refresh + (read * (Share + 1)), run.Stop);
        return (took, read);
    }

    private sealed record Scrapes(Latency Scrape, Latency Read);
}
