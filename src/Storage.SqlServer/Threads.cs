using Microsoft.Data.SqlClient;
using TaskQueue.Engine.Tasks;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

/// <summary>
/// Who has the turn in a thread: its earliest waiting member, or the one that runs. Whoever adds a member, or ends the turn, holds a
/// lock of the thread until the commit, so neither can miss the other; on PostgreSQL the row of who has the turn is that lock, but
/// here a reader would wait for members that are not committed, while their writer waits for that row. A claim does not take it: it
/// changes nobody's turn.
/// </summary>
internal sealed partial class SqlServerTaskStore
{
    private static string Keys => Rows.Table("@keys", "queue nvarchar(128)", $"thread_id {SqlServerTaskDbContext.ExactType}");

    private static readonly Statement LockThreadsSql = new($"{AllOrNothing}\n{LockThreadsText($"from {Keys} as k")}", Json("@keys"));

    // First a waiting holder gives its turn to the first member, then who is first takes it; at last it is asked for which threads
    // nobody has it: the first member may have been claimed or cancelled while we waited for its row. The threads are locked already, but
    // for one of a task that was not committed when its group, or a purge, looked for threads.
    private static readonly Statement ElectSql = new(
        $"""
        {AllOrNothing}
        {LockThreadsText($"from {Keys} as k")}
        declare @late table (id binary(16) primary key);
        insert into @late select h.id from {Keys} as k cross apply ({First}) as f cross apply ({Holder}) as h where h.id <> f.id;
        update t set held = 1 from @late l inner loop join tasks t {Sought} on t.id = l.id where t.state in (3, 7) and t.held = 0;
        update t set held = 0
        from {Keys} as k cross apply ({First}) as f
        inner loop join tasks t {Sought} on t.id = f.id
        where t.state in (3, 7) and t.held = 1 and not exists ({Holder});
        select count_big(*) from {Keys} as k
        cross apply ({First}) as f where not exists ({Holder});
        """,
        Json("@keys"));

    private static string First =>
        $"""
        select top (1) m.id from tasks m {Newest} where m.queue = k.queue and m.thread_id = k.thread_id and m.thread_id is not null and m.state in (3, 7)
            order by m.due_at, m.id
        """;

    private static string Holder =>
        $"select h.id from tasks h {Newest} where h.queue = k.queue and h.thread_id = k.thread_id and h.thread_id is not null and h.held = 0 and h.state in (3, 4, 7)";

    /// <summary>
    /// Takes the locks of threads in one order. Two that share one, which is rare, only wait for each other without need.
    /// </summary>
    /// <param name="keys">The rest of a select, in which k has queue and thread_id.</param>
    private static string LockThreadsText(string keys) =>
        $"""
        declare @bucket int = -1, @granted int, @resource nvarchar(255);
        declare @buckets table (bucket int primary key);
        insert into @buckets select distinct binary_checksum(cast(k.queue as varbinary(256)), k.thread_id) & 1048575 {keys};
        while 1 = 1
        begin
            set @bucket = (select min(bucket) from @buckets where bucket > @bucket);
            if @bucket is null break;
            set @resource = concat(N'taskqueue:thread:', @bucket);
            exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
            if @granted < 0 throw {SqlServerFaults.LockNotGranted}, 'a lock was not granted', 1;
        end;
        """;

    /// <summary>Before a row of these tasks is written or locked.</summary>
    private static async Task LockThreadsAsync(SqlConnection connection, SqlTransaction transaction, IEnumerable<TaskState> tasks)
    {
        List<OrderingKey> threads = [.. tasks.Where(t => t.ThreadId is not null).Select(t => new OrderingKey(t.Queue, t.ThreadId!)).Distinct()];
        if (threads.Count > 0)
            await ExecuteAsync(connection, transaction, LockThreadsSql, KeyRows(threads));
    }

    /// <summary>Gives the turns of threads to whom they belong, after their members were written.</summary>
    private static async Task ElectAsync(SqlConnection connection, SqlTransaction transaction, List<OrderingKey> threads)
    {
        if (threads.Count == 0)
            return;
        var keys = KeyRows(threads);
        while ((await ReadAsync(connection, transaction, ElectSql, r => r.GetInt64(0), keys))[0] > 0)
        {
        }
    }

    private static string KeyRows(IEnumerable<OrderingKey> threads) => Rows.Json(threads.Select(t => (object?[])[t.Queue, t.Thread]));
}
