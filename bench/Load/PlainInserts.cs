using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Load;

/// <summary>pgbench inserting the payload into a plain table, which is empty at the start: the reference of submissions.</summary>
internal sealed class PlainInserts(BenchRun run, BenchDatabase database, int clients, int rowsPerStatement)
{
    private const string CreateTable =
        "create table if not exists bench_insert (id uuid primary key, payload text not null, created_at timestamptz not null)";

    // The payload travels with every statement, as it does in a request.
    private readonly string _insert =
        $"insert into bench_insert (id, payload, created_at) values {string.Join(',', Enumerable.Repeat("(gen_random_uuid(), :payload, now())", rowsPerStatement))};";

    /// <summary>Runs for as long as a load.</summary>
    /// <returns>Rows per second.</returns>
    public async Task<double> RunAsync()
    {
        await database.ExecuteAsync(CreateTable);
        await database.ExecuteAsync("truncate bench_insert");
        await database.SettleAsync();
        return rowsPerStatement * await database.PgBenchAsync(
            _insert, ["-c", $"{clients}", "-j", "2", "-T", $"{run.Sizes.Load.TotalSeconds:0}", "-D", $"payload={Bodies.Plain}"]);
    }
}
