using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

/// <summary>Appends events to the outbox, and counts completions.</summary>
internal sealed partial class SqliteTaskStore
{
    private const string AppendSql =
        """
        insert into outbox (partition_id, at, type, queue, tier, worker, dispatch, frees, ids, attempts, earlier, due_times, errors)
        values (@partition_id, @at, @type, @queue, @tier, @worker, @dispatch, @frees, @ids, @attempts, @earlier, @due_times, @errors)
        """;

    private const string CountSql =
        """
        insert into queue_counts (queue, tier, partition_id, type, owner, count)
        values (@queue, @tier, @partition_id, @type, @owner, @count)
        on conflict (queue, tier, partition_id, type, owner) do update set count = count + excluded.count
        """;

    private const string CountItemsSql =
        """
        insert into batch_counts (batch_id, partition_id, line_end, count) values (@batch_id, @partition_id, @line_end, @count)
        on conflict (batch_id, partition_id, line_end) do update set count = count + excluded.count
        """;

    /// <summary>Appends the written ones of some events.</summary>
    private void Append(IEnumerable<TaskEvent> events)
    {
        foreach (var row in OutboxRows.Pack(events))
        {
            Execute(AppendSql, ("@partition_id", Partition), ("@at", Micros.FromTime(row.At)), ("@type", (int)row.Type),
                ("@queue", row.Queue), ("@tier", row.Tier), ("@worker", OrNull(row.Worker)), ("@dispatch", row.Dispatch),
                ("@frees", row.ReleasesCapacity), ("@ids", OutboxJson.Write(row.Ids)), ("@attempts", OutboxJson.Write(row.Attempts)),
                ("@earlier", row.Earlier is { } earlier ? OutboxJson.Write(earlier) : DBNull.Value),
                ("@due_times", row.DueTimes is { } times ? OutboxJson.Write(times) : DBNull.Value),
                ("@errors", row.Errors is { } errors ? OutboxJson.Write(errors) : DBNull.Value));
        }
    }

    /// <summary>Counts completions by queue, tier, type and owner, and items of batches by outcome.</summary>
    private void Count(IReadOnlyCollection<TaskEvent> events)
    {
        foreach (var (end, count) in events.Where(e => TaskEvent.IsTerminal(e.Type)).CountBy(e => (e.Queue, e.Tier, e.Type, e.Owner)))
        {
            Execute(CountSql, ("@queue", end.Queue), ("@tier", end.Tier), ("@partition_id", Partition), ("@type", (int)end.Type),
                ("@owner", end.Owner ?? ""), ("@count", count));
        }

        foreach (var (item, count) in events.Where(e => e.Line is not null).CountBy(e => e.Line!.Value))
        {
            Execute(CountItemsSql, ("@batch_id", item.Batch), ("@partition_id", Partition), ("@line_end", (int)item.End),
                ("@count", count));
        }
    }
}
