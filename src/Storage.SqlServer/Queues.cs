using System.Data.Common;
using Microsoft.Data.SqlClient;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Hosting;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

/// <summary>Statements on whole queues. Each reads the rows of its queue through the filtered indexes.</summary>
internal sealed partial class SqlServerTaskStore
{
    // Ordering keys are cleared when the queue becomes a push queue: the broker has no such order.
    private static readonly Statement AdoptSql = ChangingBy(
        TaskTable.Ready, $"{Heads("t.id", "t.push = 0")} union {Blocked("t.id", "t.push = 0")}", "t.push = 0",
        $"""
        {Change(TaskTable.Ready, "push = 1, dispatch_at = due_at, ordering_key = null, blocked = 0")}
        update c set push = 1, ordering_key = null from @locked l inner loop join tasks c {Sought} on c.id = l.id;
        """,
        Queue("@queue"));

    private static readonly Statement RearmSql = Changing(
        TaskTable.Ready, Heads("t.id", "t.push = 1 and t.dispatch_at is null"), "t.blocked = 0 and t.push = 1 and t.dispatch_at is null",
        "dispatch_at = case when due_at > @now then due_at else @now end", Queue("@queue"), Time("@now"));

    private static readonly Statement LimitRunningSql = Changing(
        TaskTable.Running, "select t.id from running t where t.queue = @queue and t.limited = 0", "t.limited = 0", "limited = 1",
        Queue("@queue"));

    private static readonly Statement AddLimitSql = new(
        "insert into queue_limits (queue, bucket_base) select @queue, 0 where not exists (select 1 from queue_limits where queue = @queue)",
        Queue("@queue"));

    private static readonly Statement FillBucketSql = new("update queue_limits set bucket_base = 0 where queue = @queue", Queue("@queue"));

    private static readonly Statement ForgetCountsSql = new("delete from queue_counts where queue = @queue", Queue("@queue"));

    private static readonly Statement StatsSql = new(
        $"""
        select
            ({Heads("count_big(*)")}) + ({Blocked("count_big(*)")}),
            (select count_big(*) from running where queue = @queue),
            (select count_big(*) from outcomes where queue = @queue and dead = 1 and (delete_at is null or delete_at > @now)),
            (select coalesce(sum(count), 0) from queue_counts where queue = @queue and type = 3),
            (select coalesce(sum(count), 0) from queue_counts where queue = @queue and type = 7),
            ({Heads("min(t.due_at)", "t.due_at <= @now and (t.expires_at is null or t.expires_at > @now)")})
        """,
        Queue("@queue"), Time("@now"));

    // Only after all events of a task are published, which carry no copy of it. A task is deleted at or after its last event, so only those
    // deleted before the oldest unpublished event are removed. Events are in order of their commits, and of several clocks: a minute makes
    // up for that. The oldest is looked for once the rows are locked: then the last writer of each has committed, with its event, and rows
    // of the outbox that are not committed are of no interest.
    private static readonly Statement RemoveSql = new(
        $"""
        {AllOrNothing}
        declare @gone table (id binary(16) primary key, {Rows.Declare("queue", "nvarchar(128)")}, dead bit, delete_at datetime2(6),
            owner {SqlServerTaskDbContext.ExactType});
        insert into @gone
        select top (@max) o.id, o.queue, o.dead, o.delete_at, o.owner from outcomes o {Skipping}
        where o.delete_at is not null and o.delete_at <= @now order by o.delete_at;
        delete g from @gone g where g.delete_at >= (
            select dateadd(minute, -1, min(u.at)) from outbox_partitions s cross apply (
                select top (1) e.at from outbox e with (readpast, readcommittedlock, rowlock)
                where e.partition_id = s.id and e.id > s.published_to order by e.id) as u);
        delete a from @gone g inner loop join attempts a {Sought} on a.task_id = g.id;
        delete l from @gone g inner loop join task_logs l {Sought} on l.task_id = g.id;
        delete o from @gone g inner loop join outcomes o {Sought} on o.id = g.id;
        delete k from @gone g inner loop join tasks t {Sought} on t.id = g.id and t.tags is not null
        cross apply openjson(concat(N'["', replace(string_escape(t.tags, 'json'), N',', N'","'), N'"]'))
            with (tag nvarchar({TaskTags.MaxLength}) '$') as s
        inner loop join task_tags k {Sought} on k.tag = s.tag collate {SqlServerTaskDbContext.Collation} and k.task_id = g.id;
        delete t from @gone g inner loop join tasks t {Sought} on t.id = g.id;
        select queue, dead, {Rows.Read("owner", "")} from @gone;
        """,
        Time("@now"), Int("@max"));

    /// <summary>The waiting tasks of a queue that are not blocked: those of one index.</summary>
    private static string Heads(string columns, string? condition = null) =>
        $"select {columns} from ready t where t.queue = @queue and t.blocked = 0{(condition is null ? "" : $" and {condition}")}";

    /// <summary>The blocked ones: those of another.</summary>
    private static string Blocked(string columns, string? condition = null) =>
        $"select {columns} from ready t where t.queue = @queue and t.ordering_key is not null and t.blocked = 1"
            + (condition is null ? "" : $" and {condition}");

    /// <summary>Locks rows in id order, then changes those that still match.</summary>
    private static Statement Changing(TaskTable table, string which, string? still, string set, params Parameter[] parameters) =>
        ChangingBy(table, which, still, Change(table, set), parameters);

    private static Statement ChangingBy(TaskTable table, string which, string? still, string changes, params Parameter[] parameters) => new(
        $"""
        {AllOrNothing}
        declare @found table (id binary(16) primary key);
        declare @locked table (id binary(16) primary key);
        begin transaction;
        insert into @found {which};
        insert into @locked {LockInOrder("@found", table, "t.id", still)};
        {changes}
        commit;
        """,
        parameters);

    private static string Change(TaskTable table, string set) =>
        $"update r set {set} from @locked l inner loop join {TaskMove.NameOf(table)} r {Sought} on r.id = l.id;";

    public Task AdoptAsync(string queue) => RunAsync(AdoptSql, queue);

    public async Task ApplyLimitsAsync(string queue)
    {
        await RunAsync(AddLimitSql, queue);
        await RunAsync(LimitRunningSql, queue);
    }

    public Task RearmAsync(string queue, DateTime now) => RunAsync(RearmSql, queue, now);

    public async Task ResetAsync(string queue)
    {
        await RunAsync(FillBucketSql, queue);
        await RunAsync(ForgetCountsSql, queue);
    }

    public async Task<QueueStats> StatsAsync(string queue, DateTime now) =>
        (await QueryLongAsync(StatsSql,
            r => new QueueStats(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), ReadTime(r, 5)), queue, now))[0];

    public async Task<int> RemoveDeletedAsync(DateTime now, int max) =>
        (await InTransactionAsync<List<(string Queue, bool Dead, string? Owner)>>(async (connection, transaction) =>
        {
            var removed = await ReadLongAsync(connection, transaction, RemoveSql, r =>
                (Queue: r.GetString(0), Dead: r.GetBoolean(1), Owner: r.IsDBNull(2) ? null : r.GetString(2)), now, max);
            // A dead letter past its retention counts as expired (moab.md 4).
            await AppendAsync(connection, transaction, [.. removed.Where(r => r.Dead).Select(r =>
                new TaskEvent { Queue = r.Queue, Type = TaskEventType.Expired, Owner = r.Owner, IsWritten = false })]);
            await transaction.CommitAsync();
            return removed;
        })).Count;

    private static async Task<List<T>> ReadLongAsync<T>(
        SqlConnection connection, SqlTransaction transaction, Statement statement, Func<DbDataReader, T> read,
        params object?[] values)
    {
        await using var command = statement.On(connection, transaction, values);
        command.CommandTimeout = StorageRegistration.LongCommandSeconds;
        return await ReadAsync(command, read);
    }
}
