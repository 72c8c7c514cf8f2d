using Npgsql;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Hosting;

namespace TaskQueue.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    private const string LoadOffsetsSql = "select id, published_to from outbox_partitions";

    private const string EndOfEventsSql =
        "select s.id, coalesce((select max(o.id) from outbox o where o.partition_id = s.id), s.published_to) from outbox_partitions s";

    private static readonly string ReadForDispatchSql =
        $"""
        select {TaskViews.Select(TaskColumn.Delivered, TaskTable.Ready, Missing)}
        from ready r cross join lateral (select * from tasks t where t.id = r.id offset 0) as t
        where r.id = any(array(
            select s.id from (
                select id, octets, sum(octets::bigint) over (order by id rows unbounded preceding) as octets_so_far
                from ready where id = any($1)) as s
            where s.octets_so_far <= $2 or s.octets_so_far = s.octets))
        order by r.id
        """;

    // A row is read whole, and the last one of a partition is the one that reaches the maximum of events. Only the keys are sorted, and
    // then rows are read in their order: errors beyond the bytes of a page are not read at all.
    private static readonly string ReadEventsSql =
        $"""
        select o.partition_id, o.id, o.at, o.type, o.queue, o.tier, o.worker, o.dispatch, o.frees, o.ids, o.attempts, o.earlier,
            o.due_times, o.errors
        from (
            select k.n, k.id, sum(k.stored) over (order by k.id rows unbounded preceding) - k.stored as stored_before
            from (
                select s.n, o.id, o.stored
                from unnest($1) with ordinality as s(read_to, n)
                cross join lateral (
                    select o.id, o.stored, sum(o.events) over (order by o.id rows unbounded preceding) - o.events as before
                    from (
                        select o.id, cardinality(o.attempts) as events, coalesce(pg_column_size(o.errors), 0) as stored from outbox o
                        where o.partition_id = s.n - 1 and o.id > s.read_to order by o.id limit $2) as o) as o
                where o.before < $2) as k
            order by k.id) as k
        cross join lateral (select * from outbox o where o.partition_id = k.n - 1 and o.id = k.id offset 0) as o
        where k.stored_before < {2 * OutboxPage.MaxChars}
        order by k.id
        """;

    // Most partitions have nothing old: their first row tells.
    private const string RemovePublishedSql =
        """
        delete from outbox where ctid = any(array(
            select o.place from outbox_partitions s
            cross join lateral (
                select o.at from outbox o where o.partition_id = s.id and o.id <= s.published_to order by o.id limit 1) as first
            cross join lateral (
                select o.ctid as place, o.at from outbox o
                where first.at < $1 and o.partition_id = s.id and o.id <= s.published_to order by o.id limit $2) as o
            where o.at < $1 limit $2))
        """;

    public Task<OutboxLeaseAnswer> TryAcquireOutboxLeaseAsync(string address, Action wake, CancellationToken cancellationToken) =>
        OutboxLease.TryAcquireAsync(source, time, address, cancellationToken);

    public async Task<long[]> LoadOffsetsAsync()
    {
        var offsets = new long[TaskEvent.Partitions];
        await using var command = source.CreateCommand(LoadOffsetsSql);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            offsets[reader.GetInt32(0)] = OutboxRows.Behind(reader.GetInt64(1));
        return offsets;
    }

    public async Task<long[]> LoadFailoverOffsetsAsync() =>
        await OutboxLease.LoadBegunAsync(source) is { } begun ? [.. begun.Select(OutboxRows.Behind)] : await LoadOffsetsAsync();

    public async Task<long[]> EndOfEventsAsync()
    {
        var offsets = new long[TaskEvent.Partitions];
        await using var command = source.CreateCommand(EndOfEventsSql);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            offsets[reader.GetInt32(0)] = OutboxRows.Behind(reader.GetInt64(1));
        return offsets;
    }

    public async Task<IReadOnlyList<TaskEvent>> ReadEventsAsync(long[] offsets, int max)
    {
        await using var command = source.CreateCommand(ReadEventsSql);
        command.Parameters.Add(Value(OutboxRows.RowsRead(offsets)));
        command.Parameters.Add(Value(max));
        await using var reader = await command.ExecuteReaderAsync();
        var page = new OutboxPage(offsets, max);
        while (!page.IsFull && await reader.ReadAsync())
            page.Add(await ReadRowAsync(reader));
        return page.Events();
    }

    public async Task<int> RemovePublishedAsync(DateTime before, int max)
    {
        await using var command = source.CreateCommand(RemovePublishedSql);
        command.CommandTimeout = StorageRegistration.LongCommandSeconds;
        command.Parameters.Add(Value(before));
        command.Parameters.Add(Value(max));
        return await command.ExecuteNonQueryAsync();
    }

    private static async Task<OutboxRow> ReadRowAsync(NpgsqlDataReader reader) => new()
    {
        Partition = reader.GetInt32(0),
        Id = reader.GetInt64(1),
        At = reader.GetDateTime(2),
        Type = (TaskEventType)reader.GetInt32(3),
        Queue = reader.GetString(4),
        Tier = reader.GetInt32(5),
        Worker = await reader.IsDBNullAsync(6) ? null : reader.GetString(6),
        Dispatch = reader.GetBoolean(7),
        ReleasesCapacity = reader.GetBoolean(8),
        Ids = reader.GetFieldValue<Guid[]>(9),
        Attempts = reader.GetFieldValue<int[]>(10),
        Earlier = await reader.IsDBNullAsync(11) ? null : reader.GetFieldValue<int[]>(11),
        DueTimes = await reader.IsDBNullAsync(12) ? null : reader.GetFieldValue<DateTime?[]>(12),
        Errors = await reader.IsDBNullAsync(13) ? null : reader.GetFieldValue<string?[]>(13),
    };

    public async Task<IReadOnlyList<TaskState>> ReadForDispatchAsync(IReadOnlyList<Guid> ids, long maxBytes)
    {
        await using var command = source.CreateCommand(ReadForDispatchSql);
        command.Parameters.Add(Value(ids.ToArray()));
        command.Parameters.Add(Value(maxBytes));
        await using var reader = await command.ExecuteReaderAsync();
        var tasks = new List<TaskState>(ids.Count);
        while (await reader.ReadAsync())
            tasks.Add(TaskColumn.ReadRow(TaskColumn.Delivered, reader));
        return tasks;
    }
}
