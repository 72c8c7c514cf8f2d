using TaskQueue.Engine.Statistics;
using TaskQueue.Storage.Statistics;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

internal sealed partial class SqlServerTaskStore : IStatisticsWrites
{
    private static readonly string CountRows = Rows.Table("@rows",
        ["at datetime2(6)", "queue nvarchar(128)", $"owner {SqlServerTaskDbContext.ExactType}", "waiting bigint", "oldest_ms bigint",
            .. StatisticsCounts.Columns.Select(c => $"{c} bigint")]);

    private static readonly Statement AddCountsSql = new(
        $"""
        {AllOrNothing}
        begin transaction;
        update s set
            waiting = case when r.waiting > s.waiting then r.waiting else s.waiting end,
            oldest_ms = case when s.oldest_ms is null or r.oldest_ms > s.oldest_ms then coalesce(r.oldest_ms, s.oldest_ms)
                else s.oldest_ms end,
            {string.Join(", ", StatisticsCounts.Columns.Select(c => $"{c} = s.{c} + r.{c}"))}
        from {CountRows} as r inner loop join queue_statistics s with (updlock, holdlock, rowlock, forceseek)
            on s.step = 0 and s.at = r.at and s.queue = r.queue and s.owner = r.owner;
        insert into queue_statistics (step, at, queue, owner, waiting, oldest_ms, {string.Join(", ", StatisticsCounts.Columns)})
        select 0, r.at, r.queue, r.owner, r.waiting, r.oldest_ms, {string.Join(", ", StatisticsCounts.Columns.Select(c => $"r.{c}"))}
        from {CountRows} as r
        where not exists (select 1 from queue_statistics k with (updlock, holdlock, rowlock)
            where k.step = 0 and k.at = r.at and k.queue = r.queue and k.owner = r.owner);
        commit;
        """,
        Json("@rows"));

    public async Task AddCountsAsync(IReadOnlyList<MinuteCounts> counts, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        // In order of keys, so that the flushes of two processes do not deadlock.
        var rows = counts.OrderBy(c => c.Minute).ThenBy(c => c.Queue, StringComparer.Ordinal).ThenBy(c => c.Owner, StringComparer.Ordinal)
            .Select(c => (object?[])[c.Minute, c.Queue, c.Owner, c.Waiting, c.OldestMs, .. c.Counts.Select(n => (object?)n)]);
        await RunAsync(AddCountsSql, Rows.Json(rows));
    }
}
