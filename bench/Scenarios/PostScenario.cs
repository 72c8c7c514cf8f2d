using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>POST /tasks, one task per request, against single-row inserts of the same payload.</summary>
internal static class PostScenario
{
    public const int Connections = 128;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        await using var database = await run.CreateDatabaseAsync();
        using var server = await run.StartServerAsync(database);
        var pull = new Wrk(run, server, "/tasks", Bodies.One(Bodies.PullQueue), Connections);
        var push = new Wrk(run, server, "/tasks", Bodies.Plain, Connections);
        await pull.RunAsync(run.Sizes.WarmUp);
        IReadOnlyList<Figure> figures = [.. await PullAsync(run, database, server, pull), await PushAsync(run, database, push)];

        await database.SettleAsync();
        pull.DemandRows(await CountAsync(database, Bodies.PullQueue));
        push.DemandRows(await CountAsync(database, "tasks"));
        server.DemandNoTrouble();
        return figures;
    }

    private static async Task<IReadOnlyList<Figure>> PullAsync(BenchRun run, BenchDatabase database, ServerProcess server, Wrk wrk)
    {
        var memory = new List<Memory>();
        var (measured, reference) = await run.AlternateAsync(
            () => Plain.InsertAsync(run, database, clients: 16, rowsPerStatement: 1),
            async () =>
            {
                await database.SettleAsync();
                var rate = await wrk.RunAsync(run.Sizes.Load);
                memory.Add(server.ReadMemory());
                return rate;
            });
        return
        [
            new("POST /tasks, a task a request, to a pull queue", new Series(measured, Unit.TasksPerSecond),
                new Reference($"{database.Tool}, a row an INSERT", new Series(reference, Unit.RowsPerSecond)), Goal.RatioAtLeast(0.5)),
            .. Rows.OfMemory("POST /tasks", memory),
        ];
    }

    private static async Task<Figure> PushAsync(BenchRun run, BenchDatabase database, Wrk wrk)
    {
        var measured = await run.SampleAsync(async () =>
        {
            await database.SettleAsync();
            return await wrk.RunAsync(run.Sizes.Load);
        });
        return new("POST /tasks to the default queue, whose tasks run meanwhile", new Series(measured, Unit.TasksPerSecond));
    }

    private static Task<long> CountAsync(BenchDatabase database, string queue) => database.CountTasksAsync($"queue = '{queue}'");
}
