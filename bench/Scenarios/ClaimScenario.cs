using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>Pull workers that claim and report, against claims alone on a plain table.</summary>
internal static class ClaimScenario
{
    private const int Workers = 8;
    private const int Batch = 100;

    private const string CreateTable =
        """
        create table bench_claim (id uuid primary key, state int not null, payload text not null, created_at timestamptz not null);
        create index on bench_claim (created_at, id) where state = 0
        """;

    private const string Claim =
        """
        update bench_claim set state = 1 where id in (
            select id from bench_claim where state = 0 order by created_at, id limit 100 for update skip locked)
        returning id, payload;
        """;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        await using var database = await run.CreateDatabaseAsync();
        using var server = await run.StartServerAsync(database);
        await database.ExecuteAsync(CreateTable);
        var tasks = new WaitingTasks(database, run.Sizes.Waiting);
        await tasks.TopUpAsync();
        await ClaimTasksAsync(run.Sizes.Claimed / 4);

        var memory = new List<Memory>();
        var (measured, reference) = await run.AlternateAsync(
            () => ClaimRowsAsync(run, database),
            async () =>
            {
                await tasks.TopUpAsync();
                await database.SettleAsync();
                var rate = await ClaimTasksAsync(run.Sizes.Claimed);
                memory.Add(server.ReadMemory());
                return rate;
            });
        server.DemandNoTrouble();
        return
        [
            new($"claim {Batch} and report {Batch}, {Workers} pull workers, {run.Sizes.Waiting:#,0} tasks waiting", new Series(measured, Unit.TasksPerSecond),
                new Reference($"pgbench, claims of {Batch} rows", new Series(reference, Unit.RowsPerSecond)), Goal.RatioAtLeast(0.35)),
            .. Rows.OfMemory("claim and report", memory),
        ];

        async Task<double> ClaimTasksAsync(int count)
        {
            var rate = await PullWorker.RunAsync(server.Http, Workers, Batch, count, run.Stop);
            await tasks.TakenAsync(count);
            return rate;
        }
    }

    /// <summary>Claimed rows per second, of a table with as many waiting rows.</summary>
    private static async Task<double> ClaimRowsAsync(BenchRun run, BenchDatabase database)
    {
        await database.ExecuteAsync(
            $"""
            truncate bench_claim;
            insert into bench_claim (id, state, payload, created_at)
            select gen_random_uuid(), 0, '{Bodies.Plain}', now() + n * interval '1 microsecond' from generate_series(1, {run.Sizes.Waiting}) as n
            """);
        await database.ExecuteAsync("vacuum analyze bench_claim");
        await database.SettleAsync();
        var transactions = run.Sizes.Claimed / Batch / Workers;
        var rate = Batch * await database.PgBenchAsync(Claim, ["-c", $"{Workers}", "-j", "2", "-t", $"{transactions}"]);
        var claimed = await database.ReadAsync<long>("select count(*) from bench_claim where state = 1");
        return claimed == run.Sizes.Claimed ? rate : throw new BenchException($"the reference claimed {claimed} rows instead of {run.Sizes.Claimed}");
    }

    /// <summary>The tasks that wait: so many at the start of every sample.</summary>
    private sealed class WaitingTasks(BenchDatabase database, int waiting)
    {
        private long _inserted;
        private long _taken;

        public async Task TopUpAsync()
        {
            var missing = (int)(waiting - (_inserted - _taken));
            await TaskRows.InsertWaitingAsync(database, _inserted + 1, missing);
            _inserted += missing;
            await database.ExecuteAsync("vacuum analyze tasks");
        }

        /// <summary>So many more must be completed now.</summary>
        public async Task TakenAsync(int count)
        {
            _taken += count;
            var completed = await database.ReadAsync<long>("select count(*) from tasks where state = 5");
            if (completed != _taken)
                throw new BenchException($"{_taken} tasks were claimed and reported, and {completed} are completed");
        }
    }
}
