using System.Diagnostics;
using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>Pull workers that claim and report while retention removes finished tasks, against no removal.</summary>
internal static class RetentionScenario
{
    private const int SevenDays = 7 * 24 * 3600;

    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(1);

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        await using var keepingDatabase = await run.CreateDatabaseAsync();
        await using var removingDatabase = await run.CreateDatabaseAsync();
        var keeping = new FinishedTasks(run, keepingDatabase, SevenDays);
        var removing = new FinishedTasks(run, removingDatabase, run.Sizes.KeepSeconds);
        var (measured, reference) = await run.AlternateAsync(keeping.MeasureAsync, removing.MeasureAsync);
        var name = $"claim and report while tasks finished {run.Sizes.KeepSeconds} s ago are removed";
        return
        [
            .. Rows.OfLoad(name, measured, "kept for 7 days", reference, Goal.RatioAtLeast(0.5)),
            new("tasks removed meanwhile", new Series(removing.Removed, Unit.RowsPerSecond)),
        ];
    }

    /// <summary>A database with a queue that keeps finished tasks for a given time.</summary>
    private sealed class FinishedTasks(BenchRun run, BenchDatabase database, int keepSeconds)
    {
        private static readonly IReadOnlyList<IReadOnlyList<string>> Targets = [[Bodies.PullQueue]];

        private long _inserted;
        private long _taken;

        /// <summary>Rows removed per second during each sample.</summary>
        public List<double> Removed { get; } = [];

        /// <summary>Processes half a sample's tasks, waits until removal has begun if there is any, then takes the sample.</summary>
        public async Task<LoadSample> MeasureAsync()
        {
            using var server = await run.StartServerAsync(database);
            await server.PutQueueAsync(Bodies.PullQueue, $$"""{"keep_finished_seconds":{{keepSeconds}}}""", run.Stop);
            var load = new PullLoad([server], Targets);
            await InsertAsync(run.Sizes.Claimed + (run.Sizes.Claimed / 2));
            await TakeAsync(load, run.Sizes.Claimed / 2);
            await database.SettleAsync();
            if (keepSeconds < SevenDays)
                await Wait.UntilAsync(async () => await CountAsync() < _taken, Deadline, "retention has begun", run.Stop);

            var before = await CountAsync();
            var since = Stopwatch.GetTimestamp();
            var sample = await TakeAsync(load, run.Sizes.Claimed);
            var removed = before + run.Sizes.Claimed - await CountAsync();
            Removed.Add(removed / Stopwatch.GetElapsedTime(since).TotalSeconds);
            server.DemandNoTrouble();
            return keepSeconds < SevenDays || removed == 0 ? sample
                : throw new BenchException($"{removed} tasks were removed that should have been kept");
        }

        private async Task InsertAsync(int count)
        {
            await database.InsertTasksAsync(new TaskRow(Bodies.PullQueue), _inserted + 1, count);
            _inserted += count;
            await database.TidyTasksAsync();
            await database.SettleAsync();
        }

        private async Task<LoadSample> TakeAsync(PullLoad load, int count)
        {
            var sample = await load.TakeAsync(count, run.Stop);
            _taken += count;
            // The rows are gone, but the counters remain.
            var completed = await database.CountCompletedAsync();
            return completed == _taken ? sample
                : throw new BenchException($"{_taken} tasks were claimed and reported, but {completed} are completed");
        }

        private Task<long> CountAsync() => database.CountKeptAsync();
    }
}
