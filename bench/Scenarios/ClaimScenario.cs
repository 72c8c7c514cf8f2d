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
        var tasks = new WaitingTasks(run, database, server);
        await tasks.TakeAsync(run.Sizes.Claimed / 4);

        var memory = new List<Memory>();
        var (measured, reference) = await run.AlternateAsync(
            () => Plain.ClaimAsync(run, database, Workers, Batch),
            async () =>
            {
                var rate = await tasks.TakeAsync(run.Sizes.Claimed);
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

    /// <summary>Refills the waiting tasks to the same number before every sample.</summary>
    private sealed class WaitingTasks(BenchRun run, BenchDatabase database, ServerProcess server)
    {
        private long _inserted;
        private long _taken;

        /// <summary>Claims and reports the given number of tasks.</summary>
        /// <returns>Tasks per second.</returns>
        public async Task<double> TakeAsync(int count)
        {
            await TopUpAsync();
            var rate = await PullWorker.RunAsync(server.Http, Workers, Batch, count, run.Stop);
            _taken += count;
            var completed = await database.CountKeptAsync();
            return completed == _taken ? rate
                : throw new BenchException($"{_taken} tasks were claimed and reported, but {completed} are completed");
        }

        private async Task TopUpAsync()
        {
            var missing = (int)(run.Sizes.Waiting - (_inserted - _taken));
            await database.InsertTasksAsync(new TaskRow(Bodies.PullQueue), _inserted + 1, missing);
            _inserted += missing;
            await database.TidyTasksAsync();
            await database.SettleAsync();
        }
    }
}
