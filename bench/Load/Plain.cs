using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Load;

/// <summary>The references: the database alone with plain tables.</summary>
internal static class Plain
{
    /// <summary>Inserts the payload into a table for the duration of a load.</summary>
    /// <returns>Rows per second.</returns>
    public static async Task<double> InsertAsync(BenchRun run, BenchDatabase database, int clients, int rowsPerStatement) =>
        rowsPerStatement * await database.InsertPlainAsync(Bodies.Plain, clients, rowsPerStatement, run.Sizes.Load);

    /// <summary>Claims as many rows, from as many waiting rows, as a claim sample does tasks.</summary>
    /// <returns>Rows per second.</returns>
    public static async Task<double> ClaimAsync(BenchRun run, BenchDatabase database, int clients, int batch)
    {
        var rate = batch * await database.ClaimPlainAsync(Bodies.Plain, run.Sizes.Waiting, clients, batch,
            run.Sizes.Claimed / batch / clients);
        var claimed = await database.ReadAsync("select count(*) from bench_claim where state = 1");
        return claimed == run.Sizes.Claimed ? rate
            : throw new BenchException($"the reference claimed {claimed} rows instead of {run.Sizes.Claimed}");
    }
}
