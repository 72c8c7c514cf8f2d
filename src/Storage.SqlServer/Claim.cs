using System.Data.Common;
using Microsoft.Data.SqlClient;
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

    // One index range for each target and priority, so that no future tasks are scanned. Rows locked by another claim are skipped; the
    // delete repeats the test.
    private static readonly Statement ClaimSql = new(
        ClaimText(
            $"""
            with found as (
                select top (@max) c.id, c.octets, row_number() over (order by q.ord, p.priority desc, c.due_at, c.created_at, c.id) as place
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
        Int("@retries"), BigInt("@max_octets"));

    private static readonly Statement NextDueSql = new(
        $"""
        select min(c.due_at)
        from {Rows.Table("@targets", "queue nvarchar(128)", "tier int")} as q cross join {Priorities}
        cross apply (
            select top (1) r.due_at from ready r
            where r.queue = q.queue and r.tier = q.tier and r.priority = p.priority and r.blocked = 0 and r.push = 0 and r.due_at > @now
            order by r.due_at) as c
        """,
        Json("@targets"), Time("@now"));

    // The index of due tasks must not include expires_at, push or octets: for these a claim goes to the row, where it sees the locks of a
    // group that has loaded the task.
    private static string DueTasks(string limit, string locking) =>
        $"""
        select top ({limit}) r.id, r.due_at, r.created_at, cast(r.octets as bigint) as octets from ready r {locking}
        where r.queue = q.queue and r.tier = q.tier and r.priority = p.priority and r.blocked = 0 and r.push = 0 and r.due_at <= @due
          and (r.expires_at is null or r.expires_at > @now)
        order by r.due_at, r.created_at, r.id
        """;

    /// <summary>
    /// Moves the tasks of due to running, and returns them: their share, their position in claim order, then their columns. Their events
    /// follow in a statement of their own.
    /// </summary>
    /// <param name="due">CTEs; the last, named due, has id, place, share, worker, claimed_by and lease in milliseconds: 0 for the task's
    /// lifetime, or null for its own.</param>
    /// <param name="limited">Whether the task, as t, counts against a concurrency limit.</param>
    /// <param name="more">Statements after the move, which find the tasks, as they waited, in table variable taken.</param>
    private static string ClaimText(string due, string limited, string more = "") =>
        $"""
        {AllOrNothing}
        declare @taken table ({Rows.Declare(Kept)},
            place bigint, share int, {Rows.Declare("new_worker", "nvarchar(max)")}, {Rows.Declare("new_claimed_by", "nvarchar(max)")},
            new_lease int);
        {due}
        delete r
        output {TaskColumn.List(Kept, "deleted.")}, d.place, d.share, d.worker, d.claimed_by, d.lease into @taken
        from due d inner loop join ready r {Sought} on r.id = d.id
        where r.blocked = 0
        option (maxdop 1, optimize for (@max = 1));
        if @@rowcount = 0 return;
        insert into running ({TaskColumn.List(TaskColumn.Running)})
        select {string.Join(", ", TaskColumn.Running.Select(c => Started(c, limited)))} from @taken t;
        {more}select k.share, k.place, {Rows.Read(TaskColumn.Delivered, TaskTable.Running)}
        from @taken k inner loop join running r {Sought} on r.id = k.id inner loop join tasks t {Sought} on t.id = r.id;
        """;

    /// <summary>The columns that a waiting and a running task have.</summary>
    private static IEnumerable<TaskColumn> Kept => TaskColumn.Running.Where(c => c.IsIn(TaskTable.Ready));

    /// <summary>The value of a column of a task that was just claimed, with the same effect as the state machine's Start.</summary>
    private static string Started(TaskColumn column, string limited) => column.Name switch
    {
        "attempt" => "t.attempt + 1",
        "worker" => "t.new_worker",
        "claimed_by" => "t.new_claimed_by",
        "attempts_left" => "case when @retries is null then t.attempts_left - 1 when t.tier = 0 then 0 when @retries < 0 then 100 "
            + "when @retries > t.attempt then @retries - t.attempt else 0 end",
        "lease_ms" => "case when t.new_lease <> 0 then t.new_lease when t.new_lease is null then t.default_lease_ms "
            + $"when datediff_big(microsecond, @now, {Life}) / 1000 > {int.MaxValue} then {int.MaxValue} "
            + $"else datediff_big(microsecond, @now, {Life}) / 1000 end",
        "lease_until" => $"case when t.new_lease = 0 then {Life} "
            + "else dateadd(millisecond, coalesce(t.new_lease, t.default_lease_ms), @now) end",
        "started_at" => "@now",
        "limited" => limited,
        _ => "t." + column.Name,
    };

    public async Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, ClaimRules rules, DateTime now)
    {
        if (rules.Limits.Count > 0 || request.IsStrict)
            return (await ClaimTogetherAsync([request], rules, now))[0];
        var taken = await InTransactionAsync<List<Taken>>(async (connection, transaction) =>
        {
            var rows = await ReadAsync(connection, transaction, ClaimSql, ReadClaimed,
                Rows.Json(request.Targets), request.Max, request.Worker, request.Credential, request.LeaseMs, now,
                now.AddMilliseconds(-request.MinAgeMs), request.MaxRetries, request.MaxBytes);
            await AppendStartedAsync(connection, transaction, rows, rules, now);
            await transaction.CommitAsync();
            return rows;
        });
        return InOrder(taken);
    }

    public void NoteWaiting(QueueTier target, DateTime? firstDue)
    {
        // a claim always looks from the beginning
    }

    public async Task<DateTime?> NextDueAsync(IReadOnlyList<QueueTier> targets, DateTime now) =>
        (await QueryAsync(NextDueSql, r => ReadTime(r, 0), Rows.Json(targets.Select(t => (object?[])[t.Queue, t.Tier])), now))[0];

    private static Taken ReadClaimed(DbDataReader reader)
    {
        var task = new TaskState();
        for (var i = 0; i < TaskColumn.Delivered.Length; i++)
            TaskColumn.Delivered[i].Read(task, reader, i + 2);
        return new Taken(reader.GetInt32(0), reader.GetInt64(1), task);
    }

    /// <summary>The rows are locked already; the partition follows.</summary>
    private static Task AppendStartedAsync(SqlConnection connection, SqlTransaction transaction, List<Taken> taken, ClaimRules rules,
        DateTime now) =>
        AppendAsync(connection, transaction, [.. InOrder(taken).Where(t => !rules.Silent.Contains(t.Queue)).Select(t => new TaskEvent
        {
            TaskId = t.CorrelationId, Type = TaskEventType.Started, Queue = t.Queue, Tier = t.Tier, Attempt = t.Attempt, Worker = t.Worker,
            At = now,
        })]);

    /// <summary>A statement returns its rows in any order.</summary>
    private static List<TaskState> InOrder(IEnumerable<Taken> taken) => [.. taken.OrderBy(t => t.Place).Select(t => t.Task)];

    /// <param name="Share">Index of the request that gets it.</param>
    /// <param name="Place">Its position in claim order.</param>
    /// <param name="Task">The claimed task.</param>
    private sealed record Taken(int Share, long Place, TaskState Task);
}
