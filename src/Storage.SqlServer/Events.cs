using Microsoft.Data.SqlClient;
using TaskQueue.Engine.Tasks;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

internal sealed partial class SqlServerTaskStore
{
    private static readonly Statement LeadSql = new(
        "declare @granted int; exec @granted = sp_getapplock @Resource = N'taskqueue:dispatcher', @LockMode = 'Exclusive', @LockOwner = "
            + "'Session', @LockTimeout = 0; select @granted;");

    // A different sum means new events. One seek for each partition, without waiting for uncommitted transactions.
    private static readonly Statement LookSql = new(
        """
        select coalesce(sum(e.id), 0)
        from event_streams s cross apply (select top (1) id from task_events with (readpast, readcommittedlock, rowlock) where stream = s.id
            order by id desc) as e
        """);

    private static readonly Statement LoadCursorsSql = new("select id, [cursor] from event_streams");

    private static readonly Statement SaveCursorsSql = new(
        $"update s set [cursor] = u.cursor_at from event_streams s join {Rows.Table("@cursors", "id int", "cursor_at bigint")} as u on "
            + "u.id = s.id where s.[cursor] < u.cursor_at",
        Json("@cursors"));

    // Partitions are read one after the other and, where readers wait for locks, not at a single moment. But an id up to the last one drawn
    // before the read began belongs to an event whose predecessors had committed by then: so no event is seen without them.
    private const string End = "declare @end bigint = cast(ident_current(N'task_events') as bigint);";

    private static readonly Statement EndOfEventsSql = new(
        $"{End}\nselect s.id, coalesce((select max(e.id) from task_events e where e.stream = s.id and e.id <= @end), 0) from "
            + "event_streams s");

    private static readonly Statement ReadEventsSql = new(
        $"""
        {End}
        select e.stream, e.id, e.task_id, e.type, e.queue, e.tier, e.attempt, e.worker, left(e.error, 1000), e.at, e.due_at, e.dispatch,
            e.frees
        from {Rows.Table("@cursors", "id int", "cursor_at bigint")} as s
        cross apply (select top (@max) * from task_events e where e.stream = s.id and e.id > s.cursor_at and e.id <= @end
            order by e.id) as e
        order by e.id
        """,
        Json("@cursors"), Int("@max"));

    private static readonly Statement ReadForDispatchSql = new(
        $"""
        with sized as (
            select t.id, (datalength(t.payload) + coalesce(datalength(t.headers), 0)) / 2 as octets
            from {Rows.Table("@ids", "id binary(16)")} as k inner loop join tasks t {Sought} on t.id = k.id
                where t.state in {SqlStates.Waiting}),
        summed as (
            select s.id, s.octets, sum(s.octets) over (order by s.id rows unbounded preceding) as octets_so_far from sized s)
        select {Rows.Read(TaskColumn.All, "t.")} from summed f inner loop join tasks t {Sought} on t.id = f.id
        where f.octets_so_far <= @max_octets or f.octets_so_far = f.octets order by t.id
        """,
        Json("@ids"), BigInt("@max_octets"));

    public async Task<IOutboxLease?> TryAcquireOutboxLeaseAsync(Action wake, CancellationToken cancellationToken)
    {
        // Not pooled: whatever goes wrong, the lock ends with the connection.
        var connection = await OpenAsync(new SqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString,
            cancellationToken);
        try
        {
            if ((await ReadAsync(connection, null, LeadSql, r => r.GetInt32(0)))[0] >= 0)
                return new OutboxLease(connection, wake);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }

        await connection.DisposeAsync();
        return null;
    }

    /// <summary>SQL Server has no notifications: the outbox dispatcher polls, see <see cref="OutboxLease"/>.</summary>
    public Task WakeDispatcherAsync() => Task.CompletedTask;

    public Task<long[]> LoadCursorsAsync() => CursorsAsync(LoadCursorsSql);

    public Task SaveCursorsAsync(long[] cursors) => RunAsync(SaveCursorsSql, CursorRows(cursors));

    public Task<long[]> EndOfEventsAsync() => CursorsAsync(EndOfEventsSql);

    public async Task<IReadOnlyList<TaskEvent>> ReadEventsAsync(long[] cursors, int max) =>
        EventReader.Complete(await QueryAsync(ReadEventsSql, EventReader.Read, CursorRows(cursors), max), max);

    public async Task<IReadOnlyList<TaskState>> ReadForDispatchAsync(IReadOnlyList<Guid> ids, long maxBytes) =>
        await QueryAsync(ReadForDispatchSql, r => TaskColumn.ReadRow(TaskColumn.All, r), Rows.Json(ids), maxBytes);

    private static string CursorRows(long[] cursors) => Rows.Json(cursors.Select((cursor, id) => (object?[])[id, cursor]));

    private async Task<long[]> CursorsAsync(Statement statement)
    {
        var cursors = new long[TaskEvent.Streams];
        foreach (var (id, cursor) in await QueryAsync(statement, r => (r.GetInt32(0), r.GetInt64(1))))
            cursors[id] = cursor;
        return cursors;
    }

    /// <summary>Holds a session lock, which ends with its connection; the connection also polls for new events.</summary>
    private sealed class OutboxLease : IOutboxLease
    {
        private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);

        private readonly SqlConnection _connection;
        private readonly CancellationTokenSource _stop = new();

        public OutboxLease(SqlConnection connection, Action wake)
        {
            _connection = connection;
            Lost = LookAsync(wake);
        }

        public Task Lost { get; }

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
