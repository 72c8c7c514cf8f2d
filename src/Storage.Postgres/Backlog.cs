using Npgsql;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Scaling;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Hosting;

namespace TaskQueue.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    // The cost grows with waiting and running tasks, not with finished ones.
    private const string BacklogSql =
        """
        select queue, tier, sum(due)::bigint, sum(later)::bigint, sum(blocked)::bigint, sum(running)::bigint, min(oldest)
        from (
            select queue, tier, count(*) filter (where not blocked and due_at <= $1) as due,
                count(*) filter (where not blocked and due_at > $1) as later, count(*) filter (where blocked) as blocked, 0 as running,
                min(due_at) filter (where not blocked and due_at <= $1) as oldest
            from ready group by queue, tier
            union all
            select queue, tier, 0, 0, 0, count(*), null from running group by queue, tier) as parts
        group by queue, tier
        """;

    private static readonly string OutboxSql =
        $"""
        select coalesce(sum(c.events), 0)::bigint, min(c.oldest)
        from outbox_partitions s cross join lateral (
            select sum(e.events) as events, min(e.at) as oldest from (
                select at, cardinality(ids) as events from outbox where partition_id = s.id and id > s.published_to order by id
                    limit {Backlog.MaxOutboxRows / TaskEvent.Partitions}) as e) as c
        """;

    // Cancelled and expired tasks took no worker time, or an unknown amount.
    private const string FinishedSql =
        "select queue, tier, sum(count)::bigint from queue_counts where queue = any($1) and type in (3, 4) group by queue, tier";

    public async Task<Backlog> ReadBacklogAsync(DateTime now, IReadOnlyCollection<string> counted)
    {
        await using var batch = source.CreateBatch();
        batch.Timeout = StorageRegistration.LongCommandSeconds;
        batch.BatchCommands.Add(Command(BacklogSql, Value(now)));
        batch.BatchCommands.Add(Command(OutboxSql));
        if (counted.Count > 0)
            batch.BatchCommands.Add(Command(FinishedSql, Value<string[]>([.. counted])));
        await using var reader = await batch.ExecuteReaderAsync();
        var tiers = new List<TierBacklog>();
        while (await reader.ReadAsync())
            tiers.Add(new(new(reader.GetString(0), reader.GetInt32(1)), reader.GetInt64(2), reader.GetInt64(3), reader.GetInt64(4),
                reader.GetInt64(5), ReadTime(reader, 6)));
        await reader.NextResultAsync();
        await reader.ReadAsync();
        var (rows, oldest) = (reader.GetInt64(0), ReadTime(reader, 1));
        var finished = new Dictionary<QueueTier, long>();
        await reader.NextResultAsync();
        while (await reader.ReadAsync())
            finished[new(reader.GetString(0), reader.GetInt32(1))] = reader.GetInt64(2);
        return new Backlog(tiers, rows, oldest, finished);
    }

    private static DateTime? ReadTime(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetDateTime(column);
}
