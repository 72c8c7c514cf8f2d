using System.Data.Common;
using Microsoft.Data.SqlClient;
using TaskQueue.Engine.Tasks;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

internal sealed partial class SqlServerTaskStore
{
    /// <summary>Bytes of an id in the list of an outbox row, such as <c>["…","…"]</c>: 39 characters; the list has one more.</summary>
    internal const int BytesOfId = 78;

    private static readonly Statement LeadSql = new(
        "declare @granted int; exec @granted = sp_getapplock @Resource = N'taskqueue:dispatcher', @LockMode = 'Exclusive', @LockOwner = "
            + "'Session', @LockTimeout = 0; select @granted;");

    // A different sum means new events; removed rows do not change it. One seek for each partition, without waiting for uncommitted
    // transactions.
    private static readonly Statement LookSql = new(
        """
        select coalesce(sum(coalesce(e.id, s.published_to)), 0)
        from outbox_partitions s outer apply (
            select top (1) o.id from outbox o with (readpast, readcommittedlock, rowlock) where o.partition_id = s.id
            order by o.id desc) as e
        """);

    private static readonly Statement LoadOffsetsSql = new("select id, published_to from outbox_partitions");

    private static readonly Statement SaveOffsetsSql = new(
        $"""
        update s set published_to = u.published_to
        from outbox_partitions s join {Rows.Table("@offsets", "id int", "published_to bigint")} as u on u.id = s.id
        where s.published_to < u.published_to
          and exists (select 1 from outbox o where o.partition_id = s.id and o.id = u.published_to)
        """,
        Json("@offsets"));

    // Partitions are read one after the other and, where readers wait for locks, not at a single moment. But an id up to the last one drawn
    // before the read began belongs to a row whose predecessors had committed by then: so no event is seen without them.
    private const string End = "declare @end bigint = cast(ident_current(N'outbox') as bigint);";

    private static readonly Statement EndOfEventsSql = new(
        $"""
        {End}
        select s.id, coalesce((select max(o.id) from outbox o where o.partition_id = s.id and o.id <= @end), s.published_to)
        from outbox_partitions s
        """);

    // A row is read whole, and the last one of a partition is the one that reaches the maximum of events.
    private static readonly Statement ReadEventsSql = new(
        $"""
        {End}
        select o.partition_id, o.id, o.at, o.type, o.queue, o.tier, o.worker, o.dispatch, o.frees, o.ids, o.attempts, o.earlier,
            o.due_times, o.errors
        from {Rows.Table("@offsets", "id int", "read_to bigint")} as s
        cross apply (
            select n.id, sum(n.events) over (order by n.id rows unbounded preceding) - n.events as before
            from (
                select top (@max) e.id, {EventsOf("e")} as events from outbox e
                where e.partition_id = s.id and e.id > s.read_to and e.id <= @end order by e.id) as n) as f
        inner loop join outbox o {Sought} on o.partition_id = s.id and o.id = f.id
        where f.before < @max
        order by o.id
        """,
        Json("@offsets"), Int("@max"));

    private static readonly Statement RemovePublishedSql = new(
        $"""
        set nocount off;
        delete o from (
            select top (@max) e.partition_id, e.id from outbox_partitions s cross apply (
                select top (@max) p.partition_id, p.id, p.at from outbox p where p.partition_id = s.id and p.id <= s.published_to
                order by p.id) as e
            where e.at < @before) as f
        inner loop join outbox o {Sought} on o.partition_id = f.partition_id and o.id = f.id
        """,
        Time("@before"), Int("@max"));

    private static readonly Statement ReadForDispatchSql = new(
        $"""
        with summed as (
            select r.id, r.octets, sum(cast(r.octets as bigint)) over (order by r.id rows unbounded preceding) as octets_so_far
            from {Rows.Table("@ids", "id binary(16)")} as k inner loop join ready r {Sought} on r.id = k.id)
        select {Rows.Read(TaskColumn.Delivered, TaskTable.Ready)}
        from summed f inner loop join ready r {Sought} on r.id = f.id inner loop join tasks t {Sought} on t.id = r.id
        where f.octets_so_far <= @max_octets or f.octets_so_far = f.octets order by r.id
        """,
        Json("@ids"), BigInt("@max_octets"));

    /// <summary>Number of events of a row, without reading its lists.</summary>
    private static string EventsOf(string row) => $"datalength({row}.ids) / {BytesOfId}";

    public async Task<OutboxLeaseAnswer> TryAcquireOutboxLeaseAsync(
        string address, Action wake, CancellationToken cancellationToken)
    {
        // Not pooled: whatever goes wrong, the lock ends with the connection.
        var connection = await OpenAsync(new SqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString,
            cancellationToken);
        try
        {
            if ((await ReadAsync(connection, null, LeadSql, r => r.GetInt32(0)))[0] >= 0)
                return new OutboxLeaseAnswer(new OutboxLease(this, connection, wake), null);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }

        await connection.DisposeAsync();
        return new OutboxLeaseAnswer(null, null);
    }

    public Task<long[]> LoadOffsetsAsync() => OffsetsAsync(LoadOffsetsSql);

    public Task<long[]> EndOfEventsAsync() => OffsetsAsync(EndOfEventsSql);

    public Task<IReadOnlyList<TaskEvent>> ReadEventsAsync(long[] cursors, int max) =>
        RetryRacesAsync<IReadOnlyList<TaskEvent>>(async () =>
        {
            await using var connection = await OpenAsync();
            await using var command = ReadEventsSql.On(connection, null, ReadRows(cursors), max);
            await using var reader = await command.ExecuteReaderAsync();
            var page = new OutboxPage(cursors, max);
            while (!page.IsFull && await reader.ReadAsync())
                page.Add(ReadRow(reader));
            return page.Events();
        });

    public Task<int> RemovePublishedAsync(DateTime before, int max) => RunAsync(RemovePublishedSql, before, max);

    public async Task<IReadOnlyList<TaskState>> ReadForDispatchAsync(IReadOnlyList<Guid> ids, long maxBytes) =>
        await QueryAsync(ReadForDispatchSql, r => TaskColumn.ReadRow(TaskColumn.Delivered, r), Rows.Json(ids), maxBytes);

    private static OutboxRow ReadRow(DbDataReader reader) => new()
    {
        Partition = reader.GetInt32(0),
        Id = reader.GetInt64(1),
        At = StoredValue.Time(reader, 2),
        Type = (TaskEventType)reader.GetInt32(3),
        Queue = reader.GetString(4),
        Tier = reader.GetInt32(5),
        Worker = reader.IsDBNull(6) ? null : reader.GetString(6),
        Dispatch = reader.GetBoolean(7),
        ReleasesCapacity = reader.GetBoolean(8),
        Ids = OutboxJson.Read<Guid>(reader.GetString(9)),
        Attempts = OutboxJson.Read<int>(reader.GetString(10)),
        Earlier = reader.IsDBNull(11) ? null : OutboxJson.Read<int>(reader.GetString(11)),
        DueTimes = reader.IsDBNull(12) ? null : OutboxJson.Read<DateTime?>(reader.GetString(12)),
        Errors = reader.IsDBNull(13) ? null : OutboxJson.Read<string?>(reader.GetString(13)),
    };

    /// <summary>The last row of each partition that was read whole.</summary>
    private static string ReadRows(long[] offsets) =>
        Rows.Json(OutboxRows.RowsRead(offsets).Select((row, partition) => (object?[])[partition, row]));

    private async Task<long[]> OffsetsAsync(Statement statement)
    {
        var offsets = new long[TaskEvent.Partitions];
        foreach (var (id, row) in await QueryAsync(statement, r => (r.GetInt32(0), r.GetInt64(1))))
            offsets[id] = OutboxRows.Behind(row);
        return offsets;
    }

    /// <summary>Holds a session lock, which ends with its connection; the connection also polls for new events.</summary>
    private sealed class OutboxLease : IOutboxLease
    {
        private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);

        private readonly SqlServerTaskStore _store;
        private readonly SqlConnection _connection;
        private readonly CancellationTokenSource _stop = new();

        public OutboxLease(SqlServerTaskStore store, SqlConnection connection, Action wake)
        {
            (_store, _connection) = (store, connection);
            Lost = LookAsync(wake);
        }

        public Task Lost { get; }

        public bool IsHeld => !Lost.IsCompleted;

        public Task SaveOffsetsAsync(long[] offsets) => _store.RunAsync(SaveOffsetsSql, ReadRows(offsets));

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await Lost.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await _connection.DisposeAsync();
            _stop.Dispose();
        }

        private async Task LookAsync(Action wake)
        {
            var last = 0L;
            using var pace = new PeriodicTimer(LookEvery);
            while (await pace.WaitForNextTickAsync(_stop.Token))
            {
                var sum = (await ReadAsync(_connection, null, LookSql, r => r.GetInt64(0)))[0];
                if (sum != last)
                    wake();
                last = sum;
            }
        }
    }
}
