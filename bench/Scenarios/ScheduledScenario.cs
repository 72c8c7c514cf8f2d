using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>Start delay of the handler of a scheduled push task, one task at a time.</summary>
internal static class ScheduledScenario
{
    private const double LatenessGoal = 50;
    private const int WarmUps = 5;

    private static readonly TimeSpan Ahead = TimeSpan.FromMilliseconds(300);

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        await using var database = await run.CreateDatabaseAsync();
        using var server = await run.StartServerAsync(database);
        await server.DeclarePushAsync(Broker.PushQueue, run.Stop);
        await using var handler = await StartSignal.ListenAsync(run);
        await MeasureAsync(WarmUps);
        var samples = await run.SampleAsync(() => MeasureAsync(run.Sizes.Scheduled));
        server.DemandNoTrouble();
        return Rows.OfLatency("lateness of a scheduled push task", samples, LatenessGoal, LatenessGoal);

        async Task<Latency> MeasureAsync(int tasks)
        {
            var times = new List<TimeSpan>();
            while (times.Count < tasks)
                times.Add(await LatenessAsync(server.Http, handler, run.Stop));
            return Latency.Of(times);
        }
    }

    private static async Task<TimeSpan> LatenessAsync(HttpClient http, StartSignal handler, CancellationToken cancellationToken)
    {
        var started = handler.NextAsync();
        var at = TimeProvider.System.GetUtcNow() + Ahead;
        await Producer.SubmitAsync(http, Bodies.One(Broker.PushQueue, at), cancellationToken);
        var lateness = (await started).Time - at;
        // The engine stores times in microseconds.
        return lateness > TimeSpan.FromMicroseconds(-1) ? lateness
            : throw new BenchException($"a task started {-lateness.TotalMilliseconds} ms before its time");
    }
}
