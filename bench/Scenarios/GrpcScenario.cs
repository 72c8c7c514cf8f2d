using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;

namespace TaskQueue.Bench.Scenarios;

/// <summary>
/// Pull workers that claim and report over gRPC, against the same over HTTP with JSON; and what a task costs server and workers, without
/// the database, which does the same for both.
/// </summary>
internal static class GrpcScenario
{
    private const int Workers = 8;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        await using var database = await run.CreateDatabaseAsync();
        using var server = await run.StartServerAsync(database);
        var tasks = new WaitingTasks(run, database);
        var figures = new List<Figure>();
        foreach (var batch in new[] { 100, 10 })
        {
            Task<Sample> HttpAsync(int count) =>
                MeasureAsync(count, () => PullWorker.RunAsync(server.Http, Workers, batch, count, run.Stop));
            Task<Sample> GrpcAsync(int count) =>
                MeasureAsync(count, () => GrpcWorker.RunAsync(server.Address, Workers, batch, count, run.Stop));

            var count = run.Sizes.Claimed * batch / 100; // smaller claims take longer
            await HttpAsync(count / 4);
            await GrpcAsync(count / 4);
            var (grpc, http) = await run.AlternateAsync(() => HttpAsync(count), () => GrpcAsync(count));
            var name = $"claim {batch} and report {batch} over gRPC, {Workers} pull workers";
            figures.Add(Row($"{name}, {run.Sizes.Waiting:#,0} tasks waiting", s => s.Rate, Unit.TasksPerSecond, Goal.RatioAtLeast(1.5)));
            figures.Add(Row($"{name}: TaskQueue CPU", s => s.ServerCpu, Unit.MicrosecondsPerTask));
            figures.Add(Row($"{name}: CPU of the workers", s => s.WorkerCpu, Unit.MicrosecondsPerTask));

            Figure Row(string what, Func<Sample, double> pick, Unit unit, params IReadOnlyList<Goal> goals) => new(
                what, new Series([.. grpc.Select(pick)], unit),
                new Reference("over HTTP with JSON", new Series([.. http.Select(pick)], unit)), goals);
        }

        server.DemandNoTrouble();
        return figures;

        async Task<Sample> MeasureAsync(int count, Func<Task<double>> takeAsync)
        {
            var sample = new Sample(0, 0, 0);
            await tasks.TakeAsync(count, async () =>
            {
                var (atServer, atWorkers) = (server.ReadCpuTime(), Environment.CpuUsage.TotalTime);
                var rate = await takeAsync();
                sample = new(rate, (server.ReadCpuTime() - atServer).TotalMicroseconds / count,
                    (Environment.CpuUsage.TotalTime - atWorkers).TotalMicroseconds / count);
                return rate;
            });
            return sample;
        }
    }

    private sealed record Sample(double Rate, double ServerCpu, double WorkerCpu)
    {
        public override string ToString() => $"{Rate:#,0}/s, {ServerCpu:0.0} µs of TaskQueue and {WorkerCpu:0.0} µs of the workers a task";
    }
}
