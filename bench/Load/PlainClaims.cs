using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Load;

/// <summary>pgbench claiming rows of a plain table with as many waiting rows: the reference of claims.</summary>
internal sealed class PlainClaims(BenchRun run, BenchDatabase database, int clients, int batch)
{
    private const string CreateTable =
        """
        create table if not exists bench_claim (id uuid primary key, state int not null, payload text not null, created_at timestamptz not null);
        create index if not exists ix_bench_claim on bench_claim (created_at, id) where state = 0
        """;

    private static readonly string Fill =
        $"""
        insert into bench_claim (id, state, payload, created_at)
        select gen_random_uuid(), 0, '{Bodies.Plain}', now() + n * interval '1 microsecond' from generate_series(1,
        """;

    private readonly string _claim =
        $"""
        update bench_claim set state = 1 where id in (
            select id from bench_claim where state = 0 order by created_at, id limit {batch} for update skip locked)
        returning id, payload;
        """;

    /// <summary>Claims as many rows as a sample of the tool does tasks.</summary>
    /// <returns>Rows per second.</returns>
    public async Task<double> RunAsync()
    {
        await database.ExecuteAsync(CreateTable);
        await database.ExecuteAsync("truncate bench_claim");
        await database.ExecuteAsync($"{Fill} {run.Sizes.Waiting}) as n");
        await database.ExecuteAsync("vacuum analyze bench_claim");
        await database.SettleAsync();
        var perClient = run.Sizes.Claimed / batch / clients;
        var rate = batch * await database.PgBenchAsync(_claim, ["-c", $"{clients}", "-j", "2", "-t", $"{perClient}"]);
        var claimed = await database.ReadAsync<long>("select count(*) from bench_claim where state = 1");
        return claimed == run.Sizes.Claimed ? rate : throw new BenchException($"the reference claimed {claimed} rows instead of {run.Sizes.Claimed}");
    }
}
