using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>Other task queues insert and drain as many tasks, taking turns with TaskQueue.</summary>
internal static class PeersScenario
{
    private const int Workers = 8, Batch = 100;
    private const string Insert = "insert 500 a request", Drain = "claim 100 and report 100";

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        run.Say("installing the packages");
        var packages = await NodePackages.InstallAsync(run);
        await using var redis = await Redis.StartAsync(run);
        await using var database = await run.CreatePostgresAsync();
        await using var graphileDatabase = await run.CreatePostgresAsync();
        await using var bossDatabase = await run.CreatePostgresAsync();
        NodePeer[] peers =
        [
            new(run, packages, "graphile-worker", graphileDatabase.Url, graphileDatabase.ReadCpuTimeAsync, graphileDatabase.RestAsync),
            new(run, packages, "pg-boss", bossDatabase.Url, bossDatabase.ReadCpuTimeAsync, bossDatabase.RestAsync),
            new(run, packages, "bullmq", redis.Url, redis.ReadCpuTimeAsync, () => Task.CompletedTask),
        ];
        foreach (var peer in peers)
            await peer.SetUpAsync();

        var (ours, theirs) = (new List<PeerSample>(), peers.ToDictionary(p => p, _ => new List<PeerSample>()));
        await run.SampleAsync(async () =>
        {
            foreach (var peer in peers)
            {
                theirs[peer].Add(await peer.MeasureAsync(run.Sizes.Claimed));
                run.Say($"{peer.Name}: {theirs[peer][^1]}");
            }

            ours.Add(await MeasureAsync(run, database));
            return ours[^1];
        });
        return
        [
            .. peers.SelectMany(peer => new[]
            {
                Row(Insert, peer, s => s.Insert, Unit.TasksPerSecond),
                Row($"{Insert}: CPU of PostgreSQL", peer, s => s.InsertCpu, Unit.MicrosecondsPerTask),
                Row(Drain, peer, s => s.Drain, Unit.TasksPerSecond, Goal.RatioAtLeast(1)),
                Row($"{Drain}: CPU of PostgreSQL", peer, s => s.DrainCpu, Unit.MicrosecondsPerTask),
            }),
        ];

        Figure Row(string name, NodePeer peer, Func<PeerSample, double> pick, Unit unit, params IReadOnlyList<Goal> goals) => new(
            name, new Series([.. ours.Select(pick)], unit),
            new Reference($"{peer.Name} {packages.Version(peer.Name)}{(unit == Unit.MicrosecondsPerTask ? peer.Store : "")}",
                new Series([.. theirs[peer].Select(pick)], unit)), goals);
    }

    private static async Task<PeerSample> MeasureAsync(BenchRun run, PostgresDatabase database)
    {
        var (tasks, warmUp) = (run.Sizes.Claimed, run.Sizes.Claimed / 4);
        using var server = await run.StartServerAsync(database);
        var before = await database.ReadCpuTimeAsync();
        await Producer.SubmitManyAsync(server.Http, Bodies.PullQueue, warmUp, run.Stop);
        var since = TimeProvider.System.GetTimestamp();
        await Producer.SubmitManyAsync(server.Http, Bodies.PullQueue, tasks, run.Stop);
        var insert = tasks / TimeProvider.System.GetElapsedTime(since).TotalSeconds;
        var insertCpu = await database.ReadCpuTimeAsync() - before;

        await database.RestAsync();
        before = await database.ReadCpuTimeAsync();
        await PullWorker.RunAsync(server.Http, Workers, Batch, warmUp, run.Stop);
        var drain = await PullWorker.RunAsync(server.Http, Workers, Batch, tasks, run.Stop);
        var drainCpu = await database.ReadCpuTimeAsync() - before;
        server.DemandNoTrouble();
        await database.SettleAsync();
        return PeerSample.Of(tasks, insert, insertCpu, drain, drainCpu);
    }
}
