using System.Diagnostics;
using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>The bella API: puts against POST /tasks, takes with every strategy, and waiting callers.</summary>
internal static class BellaScenario
{
    private const int TakesPerSecond = 1000, Size = 10;
    private const double TakeGoal = 15, BlockingGoal = 10;

    /// <summary>Puts in callback mode, one task per request, against POST /tasks of the same server.</summary>
    public static async Task<IReadOnlyList<Figure>> PutAsync(BenchRun run)
    {
        await using var database = await run.CreateDatabaseAsync();
        using var server = await run.StartServerAsync(database);
        await new BellaClient(server, run.Stop).RegisterAsync(["bella"]);
        var post = new Wrk(run, server, "/tasks", Bodies.One(Bodies.PullQueue), PostScenario.Connections);
        var put = new Wrk(run, server, "/v1/queue/put", BellaClient.Put("bella", "callback", tier: 1), PostScenario.Connections);
        await post.RunAsync(run.Sizes.WarmUp);
        await put.RunAsync(run.Sizes.WarmUp);
        var (measured, reference) = await run.AlternateAsync(Settled(post), Settled(put));
        put.DemandRows(await database.CountTasksAsync("queue = 'bella'"));
        server.DemandNoTrouble();
        return
        [
            new("POST /v1/queue/put, callback mode", new Series(measured, Unit.TasksPerSecond),
                new Reference("POST /tasks", new Series(reference, Unit.TasksPerSecond)), Goal.RatioAtLeast(0.9)),
        ];

        Func<Task<double>> Settled(Wrk wrk) => async () =>
        {
            await database.SettleAsync();
            return await wrk.RunAsync(run.Sizes.Load);
        };
    }

    /// <summary>Takes of 10 at 1,000 per second, with every strategy, over 20 queues with 200,000 waiting tasks.</summary>
    public static async Task<IReadOnlyList<Figure>> TakeAsync(BenchRun run)
    {
        var figures = new List<Figure>();
        string[] twenty = [.. Enumerable.Range(0, 20).Select(n => $"bella{n}")];
        var one = (await MeasureAsync(run, "fifo", ["bella0"])).ConvertAll(l => l.P99);
        foreach (var strategy in new[] { "fifo", "round_robin", "active_passive", "sequential" })
        {
            var samples = await MeasureAsync(run, strategy, twenty);
            figures.Add(new($"take {Size} at {TakesPerSecond:#,0}/s, {strategy}, 20 queues; p50",
                new Series([.. samples.Select(l => l.P50)], Unit.Milliseconds)));
            figures.Add(new($"take {Size} at {TakesPerSecond:#,0}/s, {strategy}, 20 queues; p99",
                new Series([.. samples.Select(l => l.P99)], Unit.Milliseconds),
                strategy == "fifo" ? new Reference("fifo, one queue; p99", new Series(one, Unit.Milliseconds)) : null,
                strategy == "fifo" ? [Goal.ValueAtMost(TakeGoal), Goal.RatioAtMost(2)] : [Goal.ValueAtMost(TakeGoal)]));
        }

        return figures;
    }

    private static async Task<List<Latency>> MeasureAsync(BenchRun run, string strategy, string[] queues)
    {
        await using var database = await run.CreateDatabaseAsync();
        using var server = await run.StartServerAsync(database);
        var client = new BellaClient(server, run.Stop);
        await client.RegisterAsync(queues);
        await database.InsertTasksAsync(new TaskRow("bella", queues.Length, Tier: 1, MaxAttempts: 1), 1, run.Sizes.Takeable);
        await database.TidyTasksAsync();
        var body = $$"""{"queues":[{{string.Join(',', queues.Select(q => $"\"{q}:1\""))}}],"size":{{Size}},"strategy":"{{strategy}}"}""";
        Func<IReadOnlyList<string>, Task>? complete = strategy == "sequential" ? ids =>
            Task.WhenAll(ids.Select(client.CompleteAsync)) : null;
        run.Say($"{strategy} over {queues.Length}");
        await client.TakeAtRateAsync(body, TakesPerSecond / 4, run.Sizes.WarmUp, complete);
        var samples = await run.SampleAsync(async () =>
        {
            var (latency, tasks) = await client.TakeAtRateAsync(body, TakesPerSecond, run.Sizes.Takes, complete);
            return tasks > 0 ? latency : throw new BenchException("nothing was taken");
        });
        server.DemandNoTrouble();
        return samples;
    }

    /// <summary>Blocking puts with an instant worker, one at a time.</summary>
    public static async Task<IReadOnlyList<Figure>> BlockingAsync(BenchRun run)
    {
        await using var database = await run.CreateDatabaseAsync();
        using var server = await run.StartServerAsync(database);
        using var other = await ServerProcess.StartAsync("api", database.ConnectionString, run.Options.RabbitMq, run.Stop);
        await new BellaClient(server, run.Stop).RegisterAsync(["bella"]);
        var here = await SampleAsync(run, server, server);
        var there = await SampleAsync(run, server, other);
        return
        [
            .. Rows.OfLatency("blocking put → answer of an instant worker", here, BlockingGoal, 2 * BlockingGoal),
            .. Rows.OfLatency("blocking put → answer of an instant worker at another process", there, BlockingGoal, 2 * BlockingGoal),
        ];
    }

    private static async Task<List<Latency>> SampleAsync(BenchRun run, ServerProcess caller, ServerProcess worker)
    {
        var (puts, works) = (new BellaClient(caller, run.Stop), new BellaClient(worker, run.Stop));
        using var end = CancellationTokenSource.CreateLinkedTokenSource(run.Stop);
        var working = WorkAsync(new BellaClient(worker, end.Token), worker, end.Token);
        await OneByOneAsync(run.Sizes.WarmUps);
        var samples = await run.SampleAsync(() => OneByOneAsync(run.Sizes.WakeUps));
        await end.CancelAsync();
        await working.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return samples;

        async Task<Latency> OneByOneAsync(int count)
        {
            var times = new List<TimeSpan>();
            for (var n = 0; n < count; n++)
            {
                await Idle.WaitAsync(run.Stop);
                var since = Stopwatch.GetTimestamp();
                await puts.PostAsync("/v1/queue/put", BellaClient.Put("bella", "blocking"));
                times.Add(Stopwatch.GetElapsedTime(since));
            }

            return Latency.Of(times);
        }
    }

    /// <summary>Takes tasks and completes each immediately.</summary>
    private static async Task WorkAsync(BellaClient client, ServerProcess server, CancellationToken cancellationToken)
    {
        while (true)
        {
            using var content = Bodies.Json("""{"queues":["bella"],"worker":"bench","max":1,"lease_seconds":60,"wait_seconds":30}""");
            using var answer = await server.Http.PostAsync("/workers/claim", content, cancellationToken);
            using var claimed = System.Text.Json.JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync(cancellationToken));
            foreach (var task in claimed.RootElement.GetProperty("tasks").EnumerateArray())
                await client.CompleteAsync(task.GetProperty("id").GetString()!);
        }
    }
}
