using Microsoft.Data.Sqlite;
using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    private const string LoadOffsetsSql = "select published_to from outbox_partitions where id = @id";

    private const string SaveOffsetsSql =
        """
        update outbox_partitions set published_to = @published_to
        where id = @id and published_to < @published_to and exists (select 1 from outbox o where o.id = @published_to)
        """;

    private const string EndOfEventsSql =
        "select coalesce((select max(id) from outbox), published_to) from outbox_partitions where id = @id";

    private const string ReadEventsSql =
        """
        select id, at, type, queue, tier, worker, dispatch, frees, ids, attempts, earlier, due_times, errors
        from outbox where id > @read_to order by id
        """;

    private static readonly string RemovePublishedSql =
        $"""
        delete from outbox where id in (
            select id from (
                select id, at from outbox where id <= (select published_to from outbox_partitions where id = {Partition})
                order by id limit @max)
            where at < @before)
        """;

    private static readonly string ReadForDispatchSql =
        $"""
        select {TaskViews.Select(TaskColumn.Delivered, TaskTable.Ready, Missing)} from ready r join tasks t on t.id = r.id
        where r.id in (
            select s.id from (
                select id, octets, sum(octets) over (order by id rows unbounded preceding) as octets_so_far
                from ready where id in (select value from json_each(@ids))) as s
            where s.octets_so_far <= @max_bytes or s.octets_so_far = s.octets)
        order by r.id
        """;

    // A single process owns the file, so it is the outbox dispatcher, and its own notifications suffice.
    public Task<OutboxLeaseAnswer> TryAcquireOutboxLeaseAsync(string address, Action wake, CancellationToken cancellationToken) =>
        Task.FromResult(new OutboxLeaseAnswer(new OutboxLease(this), null));

    public Task<long[]> LoadOffsetsAsync() => ReadOffsetsAsync(LoadOffsetsSql);

    public Task<long[]> EndOfEventsAsync() => ReadOffsetsAsync(EndOfEventsSql);

    private Task<long[]> ReadOffsetsAsync(string sql) =>
        UseAsync(
            () =>
            {
                var offsets = new long[TaskEvent.Partitions];
                offsets[Partition] = OutboxRows.Behind(Query(sql, r => r.GetInt64(0), ("@id", Partition))[0]);
                return offsets;
            },
            write: false);

    public Task<IReadOnlyList<TaskEvent>> ReadEventsAsync(long[] cursors, int max) =>
        UseAsync<IReadOnlyList<TaskEvent>>(
            () =>
            {
                var page = new OutboxPage(cursors, max);
                using var reader = Prepare(ReadEventsSql, ("@read_to", OutboxRows.RowsRead(cursors[Partition]))).ExecuteReader();
                for (var events = 0; events < max && !page.IsFull && reader.Read();)
                {
                    var row = ReadRow(reader);
                    page.Add(row);
                    events += row.Ids.Length;
                }

                return page.Events();
            },
            write: false);

    public Task<int> RemovePublishedAsync(DateTime before, int max) =>
        UseAsync(() => Execute(RemovePublishedSql, ("@before", Micros.FromTime(before)), ("@max", max)), write: true);

    private static OutboxRow ReadRow(SqliteDataReader row) => new()
    {
        Partition = Partition,
        Id = row.GetInt64(0),
        At = Micros.ToTime(row.GetInt64(1)),
        Type = (TaskEventType)row.GetInt32(2),
        Queue = row.GetString(3),
        Tier = row.GetInt32(4),
        Worker = row.IsDBNull(5) ? null : row.GetString(5),
        Dispatch = row.GetBoolean(6),
        ReleasesCapacity = row.GetBoolean(7),
        Ids = OutboxJson.Read<Guid>(row.GetString(8)),
        Attempts = OutboxJson.Read<int>(row.GetString(9)),
        Earlier = row.IsDBNull(10) ? null : OutboxJson.Read<int>(row.GetString(10)),
        DueTimes = row.IsDBNull(11) ? null : OutboxJson.Read<DateTime?>(row.GetString(11)),
        Errors = row.IsDBNull(12) ? null : OutboxJson.Read<string?>(row.GetString(12)),
    };

    public Task<IReadOnlyList<TaskState>> ReadForDispatchAsync(IReadOnlyList<Guid> ids, long maxBytes) =>
        UseAsync<IReadOnlyList<TaskState>>(
            () => Query(
                ReadForDispatchSql, r => TaskColumn.ReadRow(TaskColumn.Delivered, r), ("@ids", Json(ids)), ("@max_bytes", maxBytes)),
            write: false);

    private sealed class OutboxLease(SqliteTaskStore store) : IOutboxLease
    {
        public Task Lost { get; } = new TaskCompletionSource().Task;

        public bool IsHeld => true;

        public Task SaveOffsetsAsync(long[] offsets) => store.UseAsync(
            () => store.Execute(
                SaveOffsetsSql, ("@id", Partition), ("@published_to", OutboxRows.RowsRead(offsets[Partition]))), write: true);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
