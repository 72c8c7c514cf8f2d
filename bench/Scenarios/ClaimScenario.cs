using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>Pull workers that claim and report, against claims on a plain table.</summary>
internal static class ClaimScenario
{
    private const int Workers = 8;
    private const int Batch = 100;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        await using var database = await run.CreateDatabaseAsync();
        using var server = await run.StartServerAsync(database);
        var tasks = new WaitingTasks(run, database);
        Task<double> TakeAsync(int count) =>
            tasks.TakeAsync(count, () => PullWorker.RunAsync(server.Http, Workers, Batch, count, run.Stop));
        await TakeAsync(run.Sizes.Claimed / 4);

        var memory = new List<Memory>();
        var (measured, reference) = await run.AlternateAsync(
            () => Plain.ClaimAsync(run, database, Workers, Batch),
            async () =>
            {
                var rate = await TakeAsync(run.Sizes.Claimed);
                memory.Add(server.ReadMemory());
                return rate;
            });
        server.DemandNoTrouble();
        return
        [
            new($"claim {Batch} and report {Batch}, {Workers} pull workers, {run.Sizes.Waiting:#,0} tasks waiting",
                new Series(measured, Unit.TasksPerSecond),
                new Reference($"{database.Tool}, claims of {Batch} rows", new Series(reference, Unit.RowsPerSecond)),
                Goal.RatioAtLeast(0.35)),
            .. Rows.OfMemory("claim and report", memory),
        ];
    }
}
