using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Load;

/// <summary>What the database does by itself with plain tables: the references.</summary>
internal static class Plain
{
    /// <summary>Clients that insert the payload into a table, as long as a load.</summary>
    /// <returns>Rows per second.</returns>
    public static async Task<double> InsertAsync(BenchRun run, BenchDatabase database, int clients, int rowsPerStatement) =>
        rowsPerStatement * await database.InsertPlainAsync(Bodies.Plain, clients, rowsPerStatement, run.Sizes.Load);

    /// <summary>Clients that claim as many rows as a sample of the tool does tasks, of as many that wait.</summary>
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
