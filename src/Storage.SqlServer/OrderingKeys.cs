using Microsoft.Data.SqlClient;
using TaskQueue.Engine.Tasks;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

/// <summary>
/// The head of an ordering key is its earliest waiting task, or the running one. A transaction that adds a task, or ends the head, holds a
/// lock of the key until the commit, so neither can miss the other. On PostgreSQL the row of the head is that lock, but here a reader would
/// wait for uncommitted tasks of the key while their writer waits for that row. A claim does not acquire it, because it changes no head.
/// </summary>
internal sealed partial class SqlServerTaskStore
{
    private static string Keys => Rows.Table("@keys", "queue nvarchar(128)", $"ordering_key {SqlServerTaskDbContext.ExactType}");

    private static readonly Statement LockOrderingKeysSql = new($"{AllOrNothing}\n{LockOrderingKeysText($"from {Keys} as k")}",
        Json("@keys"));

    // First a waiting head yields to the first task, then the first is promoted; finally the ordering keys without a head are determined:
    // the first task may have been cancelled while we waited for its row. The keys are already locked, except that of a task which was not
    // committed when its group, or a purge, looked for keys. A claim, which does not lock the key, moves its head from ready to running: so
    // a statement that looks for a waiting head comes before the one that looks for a running one.
    private static readonly Statement PromoteSql = new(
        $"""
        {AllOrNothing}
        {LockOrderingKeysText($"from {Keys} as k")}
        declare @late table (id binary(16) primary key);
        insert into @late select h.id from {Keys} as k cross apply ({First}) as f cross apply ({Head}) as h where h.id <> f.id;
        update r set blocked = 1 from @late l inner loop join ready r {Sought} on r.id = l.id where r.blocked = 0;
        declare @free table ({Rows.Declare("queue", "nvarchar(128)")}, ordering_key {SqlServerTaskDbContext.ExactType}, id binary(16));
        insert into @free select k.queue, k.ordering_key, f.id from {Keys} as k cross apply ({First}) as f where not exists ({Head});
        update r set blocked = 0 from @free k inner loop join ready r {Sought} on r.id = k.id where r.blocked = 1 and not exists ({Runner});
        delete from @free;
        insert into @free select k.queue, k.ordering_key, f.id from {Keys} as k cross apply ({First}) as f where not exists ({Head});
        select count_big(*) from @free k where not exists ({Runner});
        """,
        Json("@keys"));

    private static string First =>
        $"""
        select top (1) m.id from ready m {Newest} where m.queue = k.queue and m.ordering_key = k.ordering_key and m.ordering_key is not null
            order by m.due_at, m.created_at, m.id
        """;

    private static string Head =>
        $"select h.id from ready h {Newest} where h.queue = k.queue and h.ordering_key = k.ordering_key and h.ordering_key is not null "
            + "and h.blocked = 0";

    private static string Runner =>
        $"select h.id from running h {Newest} where h.queue = k.queue and h.ordering_key = k.ordering_key and h.ordering_key is not null";

    /// <summary>
    /// Acquires the locks of ordering keys in a fixed order. Two keys that share a lock, which is rare, only wait needlessly.
    /// </summary>
    /// <param name="keys">The rest of a select in which k has queue and ordering_key.</param>
    private static string LockOrderingKeysText(string keys) =>
        $"""
        declare @bucket int = -1, @granted int, @resource nvarchar(255);
        declare @buckets table (bucket int primary key);
        insert into @buckets select distinct binary_checksum(cast(k.queue as varbinary(256)), k.ordering_key) & 1048575 {keys};
        while 1 = 1
        begin
            set @bucket = (select min(bucket) from @buckets where bucket > @bucket);
            if @bucket is null break;
            set @resource = concat(N'taskqueue:ordering-key:', @bucket);
            exec @granted = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Transaction';
            if @granted < 0 throw {SqlServerFaults.LockNotGranted}, 'a lock was not granted', 1;
        end;
        """;

    /// <summary>Must precede writing or locking a row of these tasks.</summary>
    private static async Task LockOrderingKeysAsync(SqlConnection connection, SqlTransaction transaction, IEnumerable<TaskState> tasks)
    {
        var orderingKeys = TaskChanges.OrderingKeysOf(tasks);
        if (orderingKeys.Count > 0)
            await ExecuteAsync(connection, transaction, LockOrderingKeysSql, KeyRows(orderingKeys));
    }

    /// <summary>Blocks and promotes the tasks of ordering keys after they were written.</summary>
    private static async Task PromoteAsync(SqlConnection connection, SqlTransaction transaction, List<OrderingKey> orderingKeys)
    {
        if (orderingKeys.Count == 0)
            return;
        var keys = KeyRows(orderingKeys);
        while ((await ReadAsync(connection, transaction, PromoteSql, r => r.GetInt64(0), keys))[0] > 0)
        {
        }
    }

    private static string KeyRows(IEnumerable<OrderingKey> orderingKeys) =>
        Rows.Json(orderingKeys.Select(t => (object?[])[t.Queue, t.Key]));
}
