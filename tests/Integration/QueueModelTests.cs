using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>
/// Random lives of queues against <see cref="QueueModel"/>: some fixed, and one that is new in each run. A
/// failure names its seed; <c>TASKQUEUE_MODEL_SEED</c> runs one seed again, or a range of them (<c>1000-2000</c>).
/// </summary>
public abstract class QueueModelTests(DatabaseProvider provider)
{
    private const int Steps = 250;

    [Fact]
    public async Task The_engine_matches_the_queue_model_under_random_operations()
    {
        foreach (var seed in Seeds())
        {
            await using var database = await TestDatabase.CreateAsync(provider);
            var time = new SetTime(TestTasks.T0);
            // One partition, so that sweeps and redrives have an order.
            await using var engine = new TestEngine(await AddressAsync(database), partitions: 1, time: time);
            await new QueueHistory(seed, database, engine, time).RunAsync(Steps);
        }
    }

    /// <summary>How the engine connects.</summary>
    private protected virtual Task<DatabaseAddress> AddressAsync(TestDatabase database) => Task.FromResult(database.Address);

    private static IEnumerable<int> Seeds()
    {
        if (Environment.GetEnvironmentVariable("TASKQUEUE_MODEL_SEED") is not { Length: > 0 } asked)
            return Enumerable.Range(1, 5).Append(Random.Shared.Next());
        var ends = asked.Split('-').Select(int.Parse).ToList();
        return Enumerable.Range(ends[0], ends[^1] - ends[0] + 1);
    }
}

public sealed class QueueModelOnSqlite() : QueueModelTests(DatabaseProvider.Sqlite);

public sealed class QueueModelOnPostgres() : QueueModelTests(DatabaseProvider.Postgres);

public sealed class QueueModelBehindPgBouncer() : QueueModelTests(DatabaseProvider.Postgres)
{
    private protected override async Task<DatabaseAddress> AddressAsync(TestDatabase database) =>
        database.Address with { ConnectionString = await PgBouncer.BeforeAsync(database.ConnectionString) };
}
