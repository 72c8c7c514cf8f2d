using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Scaling;
using TaskQueue.Engine.Tasks;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

internal sealed partial class SqlServerTaskStore
{
    // The cost grows with waiting and running tasks, not with finished ones.
    private static readonly Statement BacklogSql = new(
        """
        select queue, tier, sum(due), sum(later), sum(blocked), sum(running), min(oldest)
        from (
            select queue, tier, count_big(case when due_at <= @now then 1 end) as due, count_big(case when due_at > @now
                then 1 end) as later,
                cast(0 as bigint) as blocked, cast(0 as bigint) as running, min(case when due_at <= @now then due_at end) as oldest
            from ready where blocked = 0 group by queue, tier
            union all
            select queue, tier, 0, 0, count_big(*), 0, null from ready where ordering_key is not null and blocked = 1 group by queue, tier
            union all
            select queue, tier, 0, 0, 0, count_big(*), null from running group by queue, tier) as parts
        group by queue, tier
        """,
        Time("@now"));

    private static readonly Statement OutboxSql = new(
        $"""
        select coalesce(sum(c.events), 0), min(c.oldest)
        from outbox_partitions s cross apply (
            select sum(e.events) as events, min(e.at) as oldest from (
                select top ({Backlog.MaxOutboxRows / TaskEvent.Partitions}) o.at, {EventsOf("o")} as events from outbox o
                where o.partition_id = s.id and o.id > s.published_to order by o.id) as e) as c
        """);

    // Cancelled and expired tasks took no worker time, or an unknown amount.
    private static readonly Statement FinishedSql = new(
        $"""
        select c.queue, c.tier, sum(c.count) from queue_counts c
        where c.queue in (select queue from {Rows.Table("@queues", "queue nvarchar(128)")} as q) and c.type in (3, 4)
            group by c.queue, c.tier
        """,
        Json("@queues"));

    public async Task<Backlog> ReadBacklogAsync(DateTime now, IReadOnlyCollection<string> counted)
    {
        var tiers = await QueryLongAsync(BacklogSql,
            r => new TierBacklog(new(r.GetString(0), r.GetInt32(1)), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), r.GetInt64(5),
                ReadTime(r, 6)), now);
        var (rows, oldest) = (await QueryLongAsync(OutboxSql, r => (r.GetInt64(0), ReadTime(r, 1))))[0];
        var finished = counted.Count == 0 ? [] : await QueryLongAsync(FinishedSql,
            r => (At: new QueueTier(r.GetString(0), r.GetInt32(1)), Count: r.GetInt64(2)), Rows.Json(counted.Select(q => (object?[])[q])));
        return new Backlog(tiers, rows, oldest, finished.ToDictionary(f => f.At, f => f.Count));
    }
}
