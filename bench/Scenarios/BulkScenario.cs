using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;

namespace TaskQueue.Bench.Scenarios;

/// <summary>POST /tasks/bulk against inserts of 100 rows per statement.</summary>
internal static class BulkScenario
{
    private const int Connections = 8;
    private const int TasksPerRequest = 500;
    private const int RowsPerStatement = 100;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        await using var database = await run.CreateDatabaseAsync();
        using var server = await run.StartServerAsync(database);
        var wrk = new Wrk(run, server, "/tasks/bulk", Bodies.Many(Bodies.PullQueue, TasksPerRequest), Connections, TasksPerRequest);
        await wrk.RunAsync(run.Sizes.WarmUp);

        var (measured, reference) = await run.AlternateAsync(
            () => Plain.InsertAsync(run, database, clients: 8, rowsPerStatement: RowsPerStatement),
            async () =>
            {
                await database.SettleAsync();
                return await wrk.RunAsync(run.Sizes.Load);
            });
        wrk.DemandRows(await database.CountTasksAsync());
        server.DemandNoTrouble();
        return
        [
            new($"POST /tasks/bulk, {TasksPerRequest} tasks a request", new Series(measured, Unit.TasksPerSecond),
                new Reference($"{database.Tool}, {RowsPerStatement} rows an INSERT", new Series(reference, Unit.RowsPerSecond)),
                Goal.RatioAtLeast(0.5)),
        ];
    }
}
