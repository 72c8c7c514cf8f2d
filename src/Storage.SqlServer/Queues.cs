using Microsoft.Data.SqlClient;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Hosting;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

/// <summary>Statements on whole queues. Each reads the rows of its queue through the filtered indexes.</summary>
internal sealed partial class SqlServerTaskStore
{
    private const string Waiting = $"t.state in {SqlStates.Waiting} and t.blocked = 0";

    private const string Ordered = $"t.ordering_key is not null and t.state in {SqlStates.Waiting}";

    // Ordering keys are cleared when the queue becomes a push queue: the broker has no such order.
    private static readonly Statement AdoptSql = Changing(
        $"t.push = 0 and t.state in {SqlStates.Waiting} and t.id in ({Ids($"{Waiting}")} union all {Ids(Ordered)})",
        "push = 1, dispatch_at = due_at, ordering_key = null, blocked = 0", $"t.push = 0 and t.state in {SqlStates.Waiting}",
        Queue("@queue"));

    private static readonly Statement RearmSql = Changing(
        $"t.queue = @queue and {Waiting} and t.push = 1 and t.dispatch_at is null",
        "dispatch_at = case when due_at > @now then due_at else @now end", $"{Waiting} and t.push = 1 and t.dispatch_at is null",
        Queue("@queue"), Time("@now"));

    private static readonly Statement LimitRunningSql = Changing(
        $"t.queue = @queue and t.state = {SqlStates.Running} and t.limited = 0", "limited = 1", $"t.state = {SqlStates.Running} and "
            + $"t.limited = 0", Queue("@queue"));

    private static readonly Statement AddLimitSql = new(
        "insert into queue_limits (queue, bucket_base) select @queue, 0 where not exists (select 1 from queue_limits where queue = @queue)",
        Queue("@queue"));

    private static readonly Statement FillBucketSql = new("update queue_limits set bucket_base = 0 where queue = @queue", Queue("@queue"));

    // The ids are collected twice, as a task may move between the parts of the first read unseen. And it may fail, or a dead letter may be
    // retried, while we wait for its row: its current state decides.
    private static readonly Statement PurgeSql = new(
        $"""
        {AllOrNothing}
        declare @found table (id binary(16) primary key);
        declare @gone table (id binary(16) primary key, dead bit, ordering_key nvarchar(400));
        insert into @found select top (@max) id from (select distinct id from ({Members}) as m) as d;
        insert into @found select top (@max - (select count(*) from @found)) id from (select distinct id from ({Members}) as m) as d
            where id not in (select id from @found);
        {LockOrderingKeysText($"from @found f inner loop join tasks k {Sought} on k.id = f.id where k.ordering_key is not null")}
        insert into @gone {LockInOrder(
            "@found", $"t.id, t.dead, {Rows.Read("ordering_key", "t.")}", $"(t.state in {SqlStates.Unfinished} or t.dead = 1)")};
        update t set delete_at = @now, dead = 0 from @gone g inner loop join tasks t {Sought} on t.id = g.id where g.dead = 1;
        update t set state = {TaskStates.Cancelled}, finished_at = @now, delete_at = case when t.batch_id is null
            then @now end, lease_until = null, dispatch_at = null,
            blocked = 0, limited = 0
        from @gone g inner loop join tasks t {Sought} on t.id = g.id where g.dead = 0;
        select f.id, g.dead, g.ordering_key from @found f left join @gone g on g.id = f.id;
        """,
        Queue("@queue"), Time("@now"), Time("@before"), Int("@max"));

    private static string Members =>
        string.Join(" union all ", new[] { Waiting, Ordered, $"t.state = {SqlStates.Running}", "t.dead = 1" }
            .Select(c => Ids($"{c} and t.created_at < @before")));

    private static readonly Statement CancelledEventsSql = new(
        $"""
        insert into task_events (stream, task_id, type, queue, tier, attempt, worker, at, dispatch, frees)
        select @stream, t.id, {(int)TaskEventType.Cancelled}, t.queue, t.tier, t.attempt, t.worker, @now, 0, 0
        from {Rows.Table("@ids", "id binary(16)")} as k inner loop join tasks t {Sought} on t.id = k.id
        """,
        Int("@stream"), Time("@now"), Json("@ids"));

    private static readonly Statement ForgetCountsSql = new("delete from queue_counts where queue = @queue", Queue("@queue"));

    private static readonly Statement StatsSql = new(
        $"""
        select
            (select count_big(*) from tasks where queue = @queue and state in {SqlStates.Waiting} and blocked = 0)
                + (select count_big(*) from tasks where queue = @queue and ordering_key is not null and state in {SqlStates.Waiting}
                    and blocked = 1),
            (select count_big(*) from tasks where queue = @queue and state = {SqlStates.Running}),
            (select count_big(*) from tasks where queue = @queue and dead = 1 and (delete_at is null or delete_at > @now)),
            (select coalesce(sum(count), 0) from queue_counts where queue = @queue and type = 3),
            (select coalesce(sum(count), 0) from queue_counts where queue = @queue and type = 7),
            (select min(due_at) from tasks where queue = @queue and state in {SqlStates.Waiting} and blocked = 0 and due_at <= @now
                and (expires_at is null or expires_at > @now))
        """,
        Queue("@queue"), Time("@now"));

    // Only after all its events are published: otherwise they would be lost. This is checked again once the row is locked, as its last
    // writer may have committed between the start of the statement, which defines the row versions, and the lock.
    private static readonly Statement RemoveSql = new(
        $"""
        {AllOrNothing}
        declare @gone table (id binary(16) primary key, queue nvarchar(128), dead bit);
        insert into @gone
        select top (@max) t.id, t.queue, t.dead from tasks t {Skipping}
        where t.delete_at is not null and t.delete_at <= @now
          and not exists ({Unpublished("t.id")})
        order by t.delete_at;
        delete g from @gone g where exists ({Unpublished("g.id")});
        delete e from @gone g inner loop join task_events e on e.task_id = g.id;
        delete t from @gone g inner loop join tasks t {Sought} on t.id = g.id;
        select queue, dead from @gone;
        """,
        Time("@now"), Int("@max"));

    private static string Unpublished(string id) =>
        $"select 1 from task_events e join event_streams s on s.id = e.stream where e.task_id = {id} and e.id > s.[cursor]";

    private static string Ids(string condition) => $"select t.id from tasks t where t.queue = @queue and {condition}";

    /// <summary>Locks rows in id order, then changes those that still match the state test.</summary>
    private static Statement Changing(string which, string set, string still, params Parameter[] parameters) => new(
        $"""
        {AllOrNothing}
        declare @found table (id binary(16) primary key);
        declare @locked table (id binary(16) primary key);
        begin transaction;
        insert into @found select distinct t.id from tasks t where {which};
        insert into @locked {LockInOrder("@found", "t.id", still)};
        update t set {set} from @locked l inner loop join tasks t {Sought} on t.id = l.id;
        commit;
        """,
        parameters);

    public Task AdoptAsync(string queue) => RunAsync(AdoptSql, queue);

    public async Task ApplyLimitsAsync(string queue)
    {
        await RunAsync(AddLimitSql, queue);
        await RunAsync(LimitRunningSql, queue);
    }

    public Task RearmAsync(string queue, DateTime now) => RunAsync(RearmSql, queue, now);

    public Task<PurgedTasks> PurgeAsync(string queue, EventPolicy events, DateTime now, int max, DateTime acceptedBefore) =>
        InTransactionAsync(async (connection, transaction) =>
        {
            var found = await ReadLongAsync(connection, transaction, PurgeSql,
                r => (Id: StoredValue.Id(r, 0), Dead: r.IsDBNull(1) ? (bool?)null : r.GetBoolean(1),
                    Key: r.IsDBNull(2) ? null : r.GetString(2)),
                queue, now, acceptedBefore, max);
            // Tasks added while we waited for the head of their key are kept, and one of them is now the head.
            await PromoteAsync(connection, transaction, TaskChanges.OrderingKeysOf(queue, found.Select(t => t.Key)));
            var cancelled = found.FindAll(t => t.Dead == false).ConvertAll(t => t.Id);
            if (events != EventPolicy.None && cancelled.Count > 0)
            {
                var stream = PickStream();
                await ExecuteAsync(connection, transaction, LockStreamSql, stream);
                await ExecuteLongAsync(connection, transaction, CancelledEventsSql, stream, now, Rows.Json(cancelled));
            }

            await transaction.CommitAsync();
            return new PurgedTasks(cancelled.Count, found.Count(t => t.Dead == true), found.Count);
        });

    public async Task ResetAsync(string queue)
    {
        await RunAsync(FillBucketSql, queue);
        await RunAsync(ForgetCountsSql, queue);
    }

    public async Task<QueueStats> StatsAsync(string queue, DateTime now) =>
        (await QueryLongAsync(StatsSql,
            r => new QueueStats(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), ReadTime(r, 5)), queue, now))[0];

    public async Task<int> RemoveDeletedAsync(DateTime now, int max) =>
        (await InTransactionAsync<List<(string Queue, bool Dead)>>(async (connection, transaction) =>
        {
            var removed = await ReadLongAsync(connection, transaction, RemoveSql, r =>
                (Queue: r.GetString(0), Dead: r.GetBoolean(1)), now, max);
            // A dead letter past its retention counts as expired (moab.md 4).
            await AppendAsync(connection, transaction, [.. removed.Where(r => r.Dead).Select(r =>
                new TaskEvent { Queue = r.Queue, Type = TaskEventType.Expired, IsWritten = false })]);
            await transaction.CommitAsync();
            return removed;
        })).Count;

    private static async Task<List<T>> ReadLongAsync<T>(
        SqlConnection connection, SqlTransaction transaction, Statement statement, Func<System.Data.Common.DbDataReader, T> read,
        params object?[] values)
    {
        await using var command = statement.On(connection, transaction, values);
        command.CommandTimeout = StorageRegistration.LongCommandSeconds;
        return await ReadAsync(command, read);
    }

    private static async Task ExecuteLongAsync(SqlConnection connection, SqlTransaction transaction, Statement statement,
        params object?[] values)
    {
        await using var command = statement.On(connection, transaction, values);
        command.CommandTimeout = StorageRegistration.LongCommandSeconds;
        await command.ExecuteNonQueryAsync();
    }
}
