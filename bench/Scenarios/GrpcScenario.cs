using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;

namespace TaskQueue.Bench.Scenarios;

/// <summary>Pull workers that claim and report over gRPC, against the same over HTTP with JSON.</summary>
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
            Task<double> HttpAsync(int count) =>
                tasks.TakeAsync(count, () => PullWorker.RunAsync(server.Http, Workers, batch, count, run.Stop));
            Task<double> GrpcAsync(int count) =>
                tasks.TakeAsync(count, () => GrpcWorker.RunAsync(server.Address, Workers, batch, count, run.Stop));

            var count = run.Sizes.Claimed * batch / 100; // smaller claims take longer
            await HttpAsync(count / 4);
            await GrpcAsync(count / 4);
            var (measured, reference) = await run.AlternateAsync(() => HttpAsync(count), () => GrpcAsync(count));
            figures.Add(new($"claim {batch} and report {batch} over gRPC, {Workers} pull workers, {run.Sizes.Waiting:#,0} tasks waiting",
                new Series(measured, Unit.TasksPerSecond), new Reference("over HTTP with JSON", new Series(reference, Unit.TasksPerSecond)),
                Goal.RatioAtLeast(1.5)));
        }

        server.DemandNoTrouble();
        return figures;
    }
}
