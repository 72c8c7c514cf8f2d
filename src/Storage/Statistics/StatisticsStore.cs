using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Statistics;
using TaskQueue.Storage.Hosting;

namespace TaskQueue.Storage.Statistics;

/// <summary>Table <c>queue_statistics</c>.</summary>
internal sealed class StatisticsStore(IDbContextFactory<TaskDbContext> databases, IStatisticsWrites writes, DatabaseAddress address)
    : IStatisticsStore
{
    private static readonly string Columns = string.Join(", ", StatisticsCounts.Columns),
        Sums = string.Join(", ", StatisticsCounts.Columns.Select(c => $"sum({c}) as {c}")),
        Busy = string.Join(" + ", StatisticsCounts.Columns.Take(StatisticsCounts.Runs).Select(c => $"sum({c})"));

    /// <summary>
    /// Both steps in a transaction, so that no reader misses the rows in between. Only so many series are kept apart, the busiest; the
    /// others of an owner are counted together, for a queue without a name. What waits is a series of no owner, without counts: it comes
    /// first, so that each queue keeps its own.
    /// </summary>
    private static readonly string RollUpSql =
        $$"""
        delete from queue_statistics where step = {0} and at >= {2} and at < {3};
        insert into queue_statistics (step, at, queue, owner, waiting, oldest_ms, {{Columns}})
        select {0}, {2}, kept, owner, max(waiting), max(oldest_ms), {{Sums}}
        from (
            select case when place <= {4} then queue else '' end as kept, owner, waiting, oldest_ms, {{Columns}}
            from (
                select queue, owner, max(waiting) as waiting, max(oldest_ms) as oldest_ms, {{Sums}},
                    row_number() over (order by case when queue = '' then 1 else 0 end, case when max(waiting) > 0 then 0 else 1 end,
                        {{Busy}} desc, max(waiting) desc, queue, owner) as place
                from queue_statistics where step = {1} and at >= {2} and at < {3} group by queue, owner) as series) as placed
        group by kept, owner;
        """;

    public Task AddAsync(IReadOnlyList<MinuteCounts> counts, CancellationToken cancellationToken) =>
        writes.AddCountsAsync(counts, cancellationToken);

    public async Task<IReadOnlyList<StatisticsRow>> ReadAsync(
        StatisticsQuery query, Access access, int max, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var (step, from, to, queues) = (query.Step, query.From, query.To, query.Queues);
        var rows = db.Statistics.AsNoTracking().Where(r => r.Step == step && r.At >= from && r.At < to);
        if (queues.Count > 0)
            rows = rows.Where(r => queues.Contains(r.Queue));
        return await access.Filter(rows).GroupBy(r => new { r.Queue, r.At })
            .Select(g => new StatisticsRow
            {
                Queue = g.Key.Queue, At = g.Key.At, Waiting = g.Max(r => r.Waiting), OldestMs = g.Max(r => r.OldestMs),
                Submitted = g.Sum(r => r.Submitted), Started = g.Sum(r => r.Started), Completed = g.Sum(r => r.Completed),
                Failed = g.Sum(r => r.Failed), Retried = g.Sum(r => r.Retried), Cancelled = g.Sum(r => r.Cancelled),
                Expired = g.Sum(r => r.Expired), Runs = g.Sum(r => r.Runs), RunMicros = g.Sum(r => r.RunMicros),
                B0 = g.Sum(r => r.B0), B1 = g.Sum(r => r.B1), B2 = g.Sum(r => r.B2), B3 = g.Sum(r => r.B3),
                B4 = g.Sum(r => r.B4), B5 = g.Sum(r => r.B5), B6 = g.Sum(r => r.B6), B7 = g.Sum(r => r.B7),
                B8 = g.Sum(r => r.B8), B9 = g.Sum(r => r.B9), B10 = g.Sum(r => r.B10), B11 = g.Sum(r => r.B11),
                B12 = g.Sum(r => r.B12), B13 = g.Sum(r => r.B13), B14 = g.Sum(r => r.B14), B15 = g.Sum(r => r.B15),
                B16 = g.Sum(r => r.B16), B17 = g.Sum(r => r.B17), B18 = g.Sum(r => r.B18), B19 = g.Sum(r => r.B19),
                B20 = g.Sum(r => r.B20), B21 = g.Sum(r => r.B21),
            })
            .OrderBy(r => r.Queue).ThenBy(r => r.At).Take(max).ToListAsync(cancellationToken);
    }

    public async Task<DateTime?> FirstAsync(StatisticsStep step, DateTime from, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Statistics.Where(r => r.Step == step && r.At >= from).Select(r => (DateTime?)r.At).MinAsync(cancellationToken);
    }

    public async Task<DateTime?> ComputedUntilAsync(StatisticsStep step, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var mark = MarkOf(step);
        return await db.Statistics.Where(r => r.Step == mark).Select(r => (long?)r.RunMicros).SingleOrDefaultAsync(cancellationToken)
            is { } micros ? Micros.ToTime(micros) : null;
    }

    public async Task SetComputedUntilAsync(StatisticsStep step, DateTime until, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var mark = MarkOf(step);
        if (await db.Statistics.Where(r => r.Step == mark)
            .ExecuteUpdateAsync(r => r.SetProperty(x => x.RunMicros, Micros.FromTime(until)), cancellationToken) == 0)
        {
            db.Statistics.Add(new StatisticsRow { Step = mark, At = DateTime.UnixEpoch, RunMicros = Micros.FromTime(until) });
            await db.SaveChangesAsync(cancellationToken);
        }
    }

    public async Task RollUpAsync(StatisticsStep step, DateTime from, DateTime to, int maxSeries, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        db.Database.SetCommandTimeout(StorageRegistration.LongCommandSeconds);
        var strategy = db.Database.CreateExecutionStrategy();
        await strategy.ExecuteAsync(async () =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
            await db.Database.ExecuteSqlRawAsync(
                RollUpSql, [(int)step, (int)step - 1, Stored(from), Stored(to), maxSeries], cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        });
    }

    public async Task<int> RemoveAsync(StatisticsStep step, DateTime before, int max, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        // Whole times: so a step ends at a time, and the next one begins there.
        var times = await db.Statistics.Where(r => r.Step == step && r.At < before).OrderBy(r => r.At).Select(r => r.At).Take(max)
            .ToListAsync(cancellationToken);
        if (times.Count == 0)
            return 0;
        var last = times[^1];
        return await db.Statistics.Where(r => r.Step == step && r.At <= last).ExecuteDeleteAsync(cancellationToken);
    }

    private static StatisticsStep MarkOf(StatisticsStep step) =>
        step == StatisticsStep.Hour ? StatisticsStep.HoursComputed : StatisticsStep.DaysComputed;

    private object Stored(DateTime time) => address.Provider == DatabaseProvider.Sqlite ? Micros.FromTime(time) : time;
}
