using System.Diagnostics;
using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>
/// The same load on 1, 2 and 4 databases, each with a PostgreSQL instance and a TaskQueue process of its own; a table says which queue is
/// where. All share the cores of this machine, so the rate does not grow; the CPU time a task must not either.
/// </summary>
internal static class ScaleScenario
{
    private const int Queues = 8, Batch = 100;

    private static readonly int[] Counts = [1, 2, 4];

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        var samples = Counts.ToDictionary(count => count, _ => new List<Sample>());
        await run.SampleAsync(async () =>
        {
            foreach (var count in Counts)
            {
                run.Say(Named(count));
                samples[count].Add(await MeasureAsync(run, count));
            }

            return string.Join("; ", Counts.Select(count => $"{count}: {samples[count][^1]}"));
        });
        return
        [
            .. Counts.SelectMany(count => new[]
            {
                Row($"{Named(count)}, {Queues} queues: tasks inserted, claimed and reported, in sum", count, s => s.Rate,
                    Unit.TasksPerSecond),
                Row($"{Named(count)}: PostgreSQL CPU", count, s => s.DatabaseCpu, Unit.MicrosecondsPerTask, Goal.RatioAtMost(1.3)),
                Row($"{Named(count)}: TaskQueue CPU", count, s => s.ServerCpu, Unit.MicrosecondsPerTask, Goal.RatioAtMost(1.3)),
            }),
        ];

        Figure Row(string name, int count, Func<Sample, double> pick, Unit unit, params IReadOnlyList<Goal> goals) => new(
            name, SeriesOf(count, pick, unit), count == 1 ? null : new Reference("1 database", SeriesOf(1, pick, unit)),
            count == 1 ? [] : goals);

        static string Named(int count) => count == 1 ? "1 database" : $"{count} databases";

        Series SeriesOf(int count, Func<Sample, double> pick, Unit unit) => new([.. samples[count].Select(pick)], unit);
    }

    private static async Task<Sample> MeasureAsync(BenchRun run, int count)
    {
        var shards = new List<Shard>();
        try
        {
            for (var i = 0; i < count; i++)
                shards.Add(await Shard.StartAsync(run, $"shard-{i}"));
            // The routing table. In production an ingress has it: see docs/scaling-out.md.
            var routes = Enumerable.Range(0, Queues).ToDictionary(n => $"{Bodies.PullQueue}-{n}", n => shards[n % count]);
            // As many tasks a process, whatever their number, so that each is as warm.
            await LoadAsync(run, routes, run.Sizes.Scaled / 4 * count);
            foreach (var shard in shards)
                await shard.Database.SettleAsync();
            var before = await CostsAsync(shards);
            var since = Stopwatch.GetTimestamp();
            await LoadAsync(run, routes, run.Sizes.Scaled);
            var took = Stopwatch.GetElapsedTime(since);
            foreach (var shard in shards)
                await shard.Database.SettleAsync();
            var after = await CostsAsync(shards);
            shards.ForEach(s => s.Server.DemandNoTrouble());
            return new Sample(run.Sizes.Scaled / took.TotalSeconds, (after.Database - before.Database).TotalMicroseconds / run.Sizes.Scaled,
                (after.Server - before.Server).TotalMicroseconds / run.Sizes.Scaled);
        }
        finally
        {
            foreach (var shard in shards)
                await shard.DisposeAsync();
        }
    }

    /// <summary>Inserts tasks into all queues, and then drains each with a worker.</summary>
    private static async Task LoadAsync(BenchRun run, Dictionary<string, Shard> routes, int tasks)
    {
        var each = tasks / Queues;
        await Task.WhenAll(routes.Select(route => Producer.SubmitManyAsync(route.Value.Server.Http, route.Key, each, run.Stop)));
        await Task.WhenAll(routes.Select(route =>
            PullWorker.RunAsync(route.Value.Server.Http, workers: 1, Batch, each, run.Stop, route.Key)));
    }

    private static async Task<(TimeSpan Database, TimeSpan Server)> CostsAsync(List<Shard> shards)
    {
        var (database, server) = (TimeSpan.Zero, TimeSpan.Zero);
        foreach (var shard in shards)
            (database, server) = (database + await shard.Database.ReadCpuTimeAsync(), server + shard.Server.ReadCpuTime());
        return (database, server);
    }

    private sealed record Sample(double Rate, double DatabaseCpu, double ServerCpu)
    {
        public override string ToString() =>
            $"{Rate:#,0}/s, {DatabaseCpu:0.0} µs of PostgreSQL and {ServerCpu:0.0} µs of TaskQueue a task";
    }

    /// <summary>A PostgreSQL instance, and a TaskQueue process without a broker.</summary>
    private sealed class Shard(PrivatePostgres postgres, PostgresDatabase database, ServerProcess server) : IAsyncDisposable
    {
        public PostgresDatabase Database => database;

        public ServerProcess Server => server;

        public static async Task<Shard> StartAsync(BenchRun run, string name)
        {
            var postgres = await PrivatePostgres.StartAsync(run, name);
            try
            {
                var database = (PostgresDatabase)await postgres.Server.CreateAsync();
                return new Shard(postgres, database,
                    await ServerProcess.StartAsync(BenchRun.AllRoles, database.ConnectionString, rabbitMq: null, run.Stop));
            }
            catch
            {
                await postgres.DisposeAsync();
                throw;
            }
        }

        public async ValueTask DisposeAsync()
        {
            server.Dispose();
            await postgres.DisposeAsync();
        }
    }
}
