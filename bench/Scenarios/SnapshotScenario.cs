using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>
/// A queue is drained while another session holds a snapshot, so that vacuum removes none of the rows that die; against the same without
/// one. Also what a task costs PostgreSQL from insert to end.
/// </summary>
internal static class SnapshotScenario
{
    private const int Workers = 8, Batch = 100, Parts = 10;

    /// <summary>A result of 200 bytes.</summary>
    private static readonly string Result = $"\"{new string('r', 198)}\"";

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        var (held, free) = await run.AlternateAsync(() => MeasureAsync(run, hold: false), () => MeasureAsync(run, hold: true));
        var drained = $"drain of {run.Sizes.Snapshot:#,0} tasks";
        return
        [
            Parted($"{drained} while a session holds a snapshot: last tenth", held, Goal.RatioAtLeast(0.8)),
            Parted($"{drained} without one: last tenth", free),
            Row($"{drained} while a session holds a snapshot", s => s.Rate, Unit.TasksPerSecond, Goal.RatioAtLeast(0.8)),
            Row("PostgreSQL CPU, insert to end", s => s.DatabaseCpu, Unit.MicrosecondsPerTask),
            Row("TaskQueue CPU, insert to end", s => s.ServerCpu, Unit.MicrosecondsPerTask),
            Row("WAL, insert to end, results of 200 bytes", s => s.Wal, Unit.BytesPerTask),
            Row("growth of the database", s => s.Disk, Unit.BytesPerTask),
        ];

        static Figure Parted(string name, List<Drain> samples, params IReadOnlyList<Goal> goals) => new(
            name, new Series([.. samples.Select(s => s.Last)], Unit.TasksPerSecond),
            new Reference("its first tenth", new Series([.. samples.Select(s => s.First)], Unit.TasksPerSecond)), goals);

        Figure Row(string name, Func<Drain, double> pick, Unit unit, params IReadOnlyList<Goal> goals) => new(
            name, new Series([.. held.Select(pick)], unit), new Reference("no snapshot", new Series([.. free.Select(pick)], unit)), goals);
    }

    private static async Task<Drain> MeasureAsync(BenchRun run, bool hold)
    {
        var tasks = run.Sizes.Snapshot;
        await using var database = await run.CreatePostgresAsync();
        using var server = await run.StartServerAsync(database);
        await Producer.SubmitManyAsync(server.Http, Bodies.PullQueue, tasks / Parts, run.Stop);
        await TakeAsync(server, tasks / Parts, run.Stop);
        await database.SettleAsync();

        var before = await CostsAsync(database, server);
        await Producer.SubmitManyAsync(server.Http, Bodies.PullQueue, tasks, run.Stop);
        var rates = new List<double>();
        await using (hold ? await database.HoldSnapshotAsync() : null)
        {
            for (var part = 0; part < Parts; part++)
                rates.Add(await TakeAsync(server, tasks / Parts, run.Stop));
        }

        await database.SettleAsync(); // what the dispatcher of events does belongs to the costs
        var after = await CostsAsync(database, server);
        server.DemandNoTrouble();
        if (await database.CountKeptAsync() is var completed && completed != tasks + (tasks / Parts))
            throw new BenchException($"{completed} tasks are completed instead of {tasks + (tasks / Parts)}");
        return new Drain(
            Parts / rates.Sum(rate => 1 / rate), rates[0], rates[^1], (after.DatabaseCpu - before.DatabaseCpu).TotalMicroseconds / tasks,
            (after.ServerCpu - before.ServerCpu).TotalMicroseconds / tasks, (double)(after.Wal - before.Wal) / tasks,
            (double)(after.Size - before.Size) / tasks);
    }

    private static Task<double> TakeAsync(ServerProcess server, int tasks, CancellationToken cancellationToken) =>
        PullWorker.RunAsync(server.Http, Workers, Batch, tasks, cancellationToken, result: Result);

    private static async Task<Costs> CostsAsync(PostgresDatabase database, ServerProcess server) => new(
        await database.ReadCpuTimeAsync(), server.ReadCpuTime(), await database.ReadWalAsync(),
        await database.ReadAsync("select pg_database_size(current_database())"));

    private sealed record Costs(TimeSpan DatabaseCpu, TimeSpan ServerCpu, long Wal, long Size);

    /// <summary>Rates of the drain and of its first and last tenth; costs a task.</summary>
    private sealed record Drain(double Rate, double First, double Last, double DatabaseCpu, double ServerCpu, double Wal, double Disk)
    {
        public override string ToString() =>
            $"{Rate:#,0}/s (first {First:#,0}, last {Last:#,0}), {DatabaseCpu:0.0} µs of PostgreSQL and {Wal:#,0} bytes of WAL a task";
    }
}
