using System.Data.Common;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

internal sealed partial class SqlServerTaskStore
{
    private const string Priorities = "(values (4), (3), (2), (1)) as p(priority)";

    // Lease of a task that never expires.
    private const string Life = "coalesce(t.expires_at, dateadd(day, 24, @now))";

    private static string Targets => Rows.Table("@targets", "queue nvarchar(128)", "tier int", "ord int");

    // One index range for each target and priority, so that neither finished nor future tasks are scanned. Rows locked by another claim are
    // skipped; the update repeats the state test.
    private static readonly Statement ClaimSql = new(
        ClaimText(
            $"""
            with found as (
                select top (@max) c.id, c.octets, row_number() over (order by q.ord, p.priority desc, c.due_at, c.id) as place
                from {Targets} as q cross join {Priorities}
                cross apply ({DueTasks("@max", Skipping)}) as c
                order by place),
            summed as (
                select f.id, f.place, f.octets, sum(f.octets) over (order by f.place rows unbounded preceding) as octets_so_far
                    from found f),
            due as (
                select s.id, s.place, 0 as share, @worker as worker, @claimed_by as claimed_by, @lease as lease from summed s
                    where s.octets_so_far <= @max_octets or s.octets_so_far = s.octets)
            """,
            limited: "0"),
        Json("@targets"), Int("@max"), Text4000("@worker"), Text4000("@claimed_by"), Int("@lease"), Time("@now"), Time("@due"),
        Int("@retries"), Int("@stream"), Json("@silent"), BigInt("@max_octets"));

    private static readonly Statement NextDueSql = new(
        $"""
        select min(c.due_at)
        from {Rows.Table("@targets", "queue nvarchar(128)", "tier int")} as q cross join {Priorities}
        cross apply (
            select top (1) t.due_at from tasks t
            where t.queue = q.queue and t.tier = q.tier and t.priority = p.priority
              and t.state in {SqlStates.Waiting} and t.blocked = 0 and t.push = 0 and t.due_at > @now
            order by t.due_at) as c
        """,
        Json("@targets"), Time("@now"));

    // The length of a text is known without reading it, even if it is stored out of line; a character has two bytes. The index of due tasks
    // must not include expires_at or push: for these a claim goes to the row, where it sees the locks of a group that has loaded the task.
    private static string DueTasks(string limit, string locking) =>
        $"""
        select top ({limit}) t.id, t.due_at, (datalength(t.payload) + coalesce(datalength(t.headers), 0)) / 2 as octets
            from tasks t {locking}
        where t.queue = q.queue and t.tier = q.tier and t.priority = p.priority
          and t.state in {SqlStates.Waiting} and t.blocked = 0 and t.push = 0 and t.due_at <= @due
          and (t.expires_at is null or t.expires_at > @now)
        order by t.due_at, t.id
        """;

    /// <summary>
    /// Claims the tasks of due, returns them (their share, their position in claim order, then all columns) and appends their events. The
    /// partition is locked after the last row, and before the first event draws its id.
    /// </summary>
    /// <param name="due">CTEs; the last, named due, has id, place, share, worker, claimed_by and lease in milliseconds: 0 for the task's
    /// lifetime, or null for its own.</param>
    /// <param name="limited">Whether the task counts against a concurrency limit.</param>
    /// <param name="more">Statements after the update, which find the claimed tasks in table claimed.</param>
    private static string ClaimText(string due, string limited, string more = "") =>
        $"""
        {AllOrNothing}
        declare @claimed table (id binary(16), queue nvarchar(128) collate {SqlServerTaskDbContext.Collation}, tier int, attempt int,
            worker nvarchar(max));
        {due}
        update t
        set state = {TaskStates.Running}, attempt = t.attempt + 1, worker = d.worker, claimed_by = d.claimed_by,
            attempts_left = case when @retries is null then t.attempts_left - 1 when t.tier = 0 then 0 when @retries < 0 then 100
                when @retries > t.attempt then @retries - t.attempt else 0 end,
            lease_ms = case when d.lease <> 0 then d.lease when d.lease is null then t.default_lease_ms
                when datediff_big(microsecond, @now, {Life}) / 1000 > {int.MaxValue} then {int.MaxValue}
                else datediff_big(microsecond, @now, {Life}) / 1000 end,
            lease_until = case when d.lease = 0 then {Life} else dateadd(millisecond, coalesce(d.lease, t.default_lease_ms), @now) end,
            started_at = @now, dispatch_at = null, limited = {limited}
        output inserted.id, inserted.queue, inserted.tier, inserted.attempt, inserted.worker into @claimed
        output d.share, d.place, {Rows.Read(TaskColumn.All, "inserted.")}
        from due d inner loop join tasks t {Sought} on t.id = d.id
        where t.state in {SqlStates.Waiting} and t.blocked = 0
        option (maxdop 1, optimize for (@max = 1));
        if @@rowcount = 0 return;
        {more}{LockStreamText}
        insert into task_events (stream, task_id, type, queue, tier, attempt, worker, at, dispatch, frees)
        select @stream, id, {(int)TaskEventType.Started}, queue, tier, attempt, worker, @now, 0, 0 from @claimed
        where queue not in (select queue from {Rows.Table("@silent", "queue nvarchar(128)")} as s);
        """;

    public async Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, ClaimRules rules, DateTime now)
    {
        if (rules.Limits.Count > 0 || request.IsStrict)
            return (await ClaimTogetherAsync([request], rules, now))[0];
        var taken = await InTransactionAsync<List<Taken>>(async (connection, transaction) =>
        {
            var rows = await ReadAsync(connection, transaction, ClaimSql, ReadClaimed,
                Rows.Json(request.Targets), request.Max, request.Worker, request.Credential, request.LeaseMs, now,
                now.AddMilliseconds(-request.MinAgeMs), request.MaxRetries,
                PickStream(), Silent(rules), request.MaxBytes);
            await transaction.CommitAsync();
            return rows;
        });
        return InOrder(taken);
    }

    public async Task<DateTime?> NextDueAsync(IReadOnlyList<QueueTier> targets, DateTime now) =>
        (await QueryAsync(NextDueSql, r => ReadTime(r, 0), Rows.Json(targets.Select(t => (object?[])[t.Queue, t.Tier])), now))[0];

    private static Taken ReadClaimed(DbDataReader reader)
    {
        var task = new TaskState();
        for (var i = 0; i < TaskColumn.All.Length; i++)
            TaskColumn.All[i].Read(task, reader, i + 2);
        return new Taken(reader.GetInt32(0), reader.GetInt64(1), task);
    }

    /// <summary>OUTPUT has no defined order.</summary>
    private static List<TaskState> InOrder(IEnumerable<Taken> taken) => [.. taken.OrderBy(t => t.Place).Select(t => t.Task)];

    private static string Silent(ClaimRules rules) => Rows.Json(rules.Silent.Select(q => (object?[])[q]));

    /// <param name="Share">Index of the request that gets it.</param>
    /// <param name="Place">Its position in claim order.</param>
    /// <param name="Task">The claimed task.</param>
    private sealed record Taken(int Share, long Place, TaskState Task);
}
