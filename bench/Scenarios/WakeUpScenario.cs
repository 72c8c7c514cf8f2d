using System.Diagnostics;
using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>Latency from submit to the start of the handler, one task at a time on idle servers.</summary>
internal static class WakeUpScenario
{
    private const double P50Goal = 5, P99Goal = 25;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        await using var database = await run.CreateDatabaseAsync();
        using var server = await run.StartServerAsync(database);
        var pushed = await PushedAsync(run, server);
        var polled = await PolledAsync(run, server.Http, server.Http);
        using var other = await ServerProcess.StartAsync("api", database.ConnectionString, run.Options.RabbitMq, run.Stop);
        var polledElsewhere = await PolledAsync(run, other.Http, server.Http);
        server.DemandNoTrouble();
        other.DemandNoTrouble();
        return
        [
            .. Rows.OfLatency("wake-up: submit → bus worker starts", pushed, P50Goal, P99Goal),
            .. Rows.OfLatency("wake-up: submit → long-poll returns", polled, P50Goal, P99Goal),
            .. Rows.OfLatency("wake-up: submit → long-poll at another process returns", polledElsewhere, P50Goal, P99Goal),
        ];
    }

    private static async Task<List<Latency>> PushedAsync(BenchRun run, ServerProcess server)
    {
        await server.DeclarePushAsync(Broker.PushQueue, run.Stop);
        await using var handler = await StartSignal.ListenAsync(run);
        await MeasureAsync(run.Sizes.WarmUps);
        return await run.SampleAsync(() => MeasureAsync(run.Sizes.WakeUps));

        Task<Latency> MeasureAsync(int tasks) => OneByOneAsync(tasks, async () =>
        {
            await Idle.WaitAsync(run.Stop);
            var started = handler.NextAsync();
            var since = Stopwatch.GetTimestamp();
            await Producer.SubmitAsync(server.Http, Bodies.One(Broker.PushQueue), run.Stop);
            return Stopwatch.GetElapsedTime(since, (await started).Timestamp);
        });
    }

    private static async Task<List<Latency>> PolledAsync(BenchRun run, HttpClient submit, HttpClient claim)
    {
        var worker = new PullWorker(claim, max: 1, waitSeconds: 30);
        await MeasureAsync(run.Sizes.WarmUps);
        return await run.SampleAsync(() => MeasureAsync(run.Sizes.WakeUps));

        Task<Latency> MeasureAsync(int tasks) => OneByOneAsync(tasks, async () =>
        {
            var claimed = ClaimAsync();
            await Idle.WaitAsync(run.Stop); // by now the claim is waiting
            var since = Stopwatch.GetTimestamp();
            await Producer.SubmitAsync(submit, Bodies.One(Bodies.PullQueue), run.Stop);
            var at = await claimed;
            await worker.ReportAsync(1, run.Stop);
            return Stopwatch.GetElapsedTime(since, at);
        });

        async Task<long> ClaimAsync() =>
            await worker.ClaimAsync(run.Stop) == 1 ? Stopwatch.GetTimestamp()
                : throw new BenchException("a long-poll returned without its task");
    }

    private static async Task<Latency> OneByOneAsync(int tasks, Func<Task<TimeSpan>> measure)
    {
        var times = new List<TimeSpan>();
        while (times.Count < tasks)
            times.Add(await measure());
        return Latency.Of(times);
    }
}
