using System.Text.Json;
using Microsoft.Data.Sqlite;
using TaskQueue.Engine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Scaling;

namespace TaskQueue.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    // The parts of ready scan a partial index each; no part reads finished tasks.
    private const string BacklogSql =
        """
        select queue, tier, sum(due), sum(later), sum(blocked), sum(running), min(oldest)
        from (
            select queue, tier, sum(due_at <= @now) as due, sum(due_at > @now) as later, 0 as blocked, 0 as running,
                min(case when due_at <= @now then due_at end) as oldest
            from ready where not blocked group by queue, tier
            union all
            select queue, tier, 0, 0, count(*), 0, null from ready where ordering_key is not null and blocked group by queue, tier
            union all
            select queue, tier, 0, 0, 0, count(*), null from running group by queue, tier) as parts
        group by queue, tier
        """;

    // An id takes 39 bytes of the list, with quotes and comma: so no list is read.
    private static readonly string OutboxSql =
        $"""
        select coalesce(sum(events), 0), min(at) from (
            select at, octet_length(ids) / 39 as events from outbox
            where id > (select published_to from outbox_partitions where id = {Partition}) order by id limit {Backlog.MaxOutboxRows})
        """;

    // Cancelled and expired tasks took no worker time, or an unknown amount.
    private const string FinishedSql =
        """
        select queue, tier, sum(count) from queue_counts where queue in (select value from json_each(@queues)) and type in (3, 4)
        group by queue, tier
        """;

    /// <summary>Statements run on another connection, while the store's own commits.</summary>
    internal static IReadOnlyList<string> BacklogStatements => [BacklogSql, OutboxSql, FinishedSql];

    public async Task<Backlog> ReadBacklogAsync(DateTime now, IReadOnlyCollection<string> counted)
    {
        await using var connection = new SqliteConnection(connectionString);
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = BacklogSql;
        command.Parameters.AddWithValue("@now", Micros.FromTime(now));
        var tiers = new List<TierBacklog>();
        await using (var reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
                tiers.Add(new(new(reader.GetString(0), reader.GetInt32(1)), reader.GetInt64(2), reader.GetInt64(3), reader.GetInt64(4),
                    reader.GetInt64(5), ReadTime(reader, 6)));
        }

        command.CommandText = OutboxSql;
        command.Parameters.Clear();
        await using var outbox = await command.ExecuteReaderAsync();
        await outbox.ReadAsync();
        return new Backlog(tiers, outbox.GetInt64(0), ReadTime(outbox, 1), await ReadFinishedAsync(connection, counted));
    }

    private static async Task<Dictionary<QueueTier, long>> ReadFinishedAsync(
        SqliteConnection connection, IReadOnlyCollection<string> counted)
    {
        var finished = new Dictionary<QueueTier, long>();
        if (counted.Count == 0)
            return finished;
        await using var command = connection.CreateCommand();
        command.CommandText = FinishedSql;
        command.Parameters.AddWithValue("@queues", JsonSerializer.Serialize(counted));
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            finished[new(reader.GetString(0), reader.GetInt32(1))] = reader.GetInt64(2);
        return finished;
    }
}
