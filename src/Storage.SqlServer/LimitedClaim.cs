using TaskQueue.Engine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

/// <summary>Claims from queues with limits, and claims in strict order.</summary>
internal sealed partial class SqlServerTaskStore
{
    /// <summary>Number of locks for all targets: two targets that share one only wait needlessly.</summary>
    private const int TargetLocks = 64;

    private static readonly Statement LockTargetSql = new(TakeLock("concat(N'taskqueue:target:', @target)"), Int("@target"));

    private static readonly Statement LockLimitsSql = new(
        $"""
        select b.queue from (select top (2147483647) queue from {Rows.Table("@limits", "queue nvarchar(128)")} as j order by queue) as g
        inner loop join queue_limits b {Locked} on b.queue = g.queue
        order by g.queue option (force order, maxdop 1)
        """,
        Json("@limits"));

    private static string LimitRows =>
        Rows.Table("@limits", "queue nvarchar(128)", "max_running int", "period_ns bigint", "max_tokens bigint");

    // A preceding statement locked the limits, so these counts stay valid until the commit. The tasks of a queue are numbered in claim
    // order over all its targets, and cut off at what its limits leave. A claim that waited for the row may find a bucket that later ones
    // have emptied: at its older timestamp the token count is negative. The first request gets the first of the remaining tasks, up to its
    // maximum, and so on: @shares has the cumulative maximums.
    private static readonly Statement LimitedClaimSql = ClaimTogether(Skipping, picked: "");

    // Claims of these targets are serialized, so tasks need not be locked before they are chosen: only the chosen ones are locked, and
    // those that another transaction is changing are skipped.
    private static readonly Statement StrictClaimSql = ClaimTogether(
        "", picked: $" cross apply (select w.id from ready w {SkippingSought} where w.id = n.id and w.blocked = 0) as l");

    private static Statement ClaimTogether(string locking, string picked) => new(
        ClaimText(
            $"""
            with allowances as (
                select g.queue, case when a.running < a.tokens then a.running else a.tokens end as allowed
                from {LimitRows} as g inner loop join queue_limits b with (forceseek) on b.queue = g.queue
                cross apply (select case when b.bucket_base > @ns - g.max_tokens * g.period_ns then b.bucket_base
                    else @ns - g.max_tokens * g.period_ns end as base) as k
                cross apply (select
                    case when g.max_running = 0 then @max else g.max_running
                        - (select count(*) from running h {Newest} where h.queue = g.queue and h.limited = 1) end as running,
                    case when g.period_ns = 0 then @max else (@ns - k.base) / g.period_ns end as tokens) as a),
            limits as (
                select q.queue, q.tier, q.ord,
                    case when g.allowed is null or g.allowed > @max then @max when g.allowed < 0 then 0 else g.allowed end as allowed
                from {Targets} as q left join allowances g on g.queue = q.queue),
            found as (
                select c.id, c.due_at, c.created_at, c.octets, q.queue, q.ord, p.priority, q.allowed,
                    row_number() over (partition by q.ord order by p.priority desc, c.due_at, c.created_at, c.id) as turn
                from limits q cross join {Priorities}
                cross apply ({DueTasks(
                    $"case when @order = {(int)ClaimOrder.Sequential} and q.allowed > 1 then 1 else q.allowed end", locking)}) as c
                where @order <> {(int)ClaimOrder.Sequential} or not exists (
                    select 1 from queue_locks l join running h on h.id = l.task_id
                    where l.queue = q.queue and l.tier = q.tier and l.until > @now and h.attempt = l.attempt)),
            placed as (
                select f.id, f.allowed, f.octets, row_number() over (order by {TogetherOrder}) as place,
                    row_number() over (partition by f.queue order by {TogetherOrder}) as number
                from found f where @order <> {(int)ClaimOrder.Sequential} or f.turn = 1),
            picked as (
                select top (@max) n.id, n.place, n.octets, row_number() over (order by n.place) as taken,
                    sum(n.octets) over (order by n.place rows unbounded preceding) as octets_so_far
                from placed n where n.number <= n.allowed order by n.place),
            due as (
                select n.id, n.place, s.share, s.worker, s.claimed_by, s.lease from picked n{picked}
                cross apply (
                    select top (1) s.share, s.worker, s.claimed_by, s.lease
                    from {Rows.Table("@shares", "share int", "up_to int", "worker nvarchar(max)", "claimed_by nvarchar(128)",
                        "lease int")} as s where s.up_to >= n.taken order by s.up_to, s.share) as s
                where n.octets_so_far <= @max_octets or n.octets_so_far = n.octets)
            """,
            limited: $"case when exists (select 1 from {LimitRows} as g where g.queue = t.queue) then 1 else 0 end",
            more:
            $"""
            update b set bucket_base = n.tasks * g.period_ns
                + case when b.bucket_base > @ns - g.max_tokens * g.period_ns then b.bucket_base else @ns - g.max_tokens * g.period_ns end
            from {LimitRows} as g inner loop join queue_limits b {Sought} on b.queue = g.queue
            join (select queue, count(*) as tasks from @taken group by queue) as n on n.queue = b.queue
            where g.period_ns > 0;
            if @order = {(int)ClaimOrder.Sequential}
            begin
                delete l from @taken c inner loop join queue_locks l {Sought} on l.queue = c.queue and l.tier = c.tier;
                insert into queue_locks (queue, tier, task_id, attempt, until)
                select queue, tier, id, attempt + 1, dateadd(millisecond, @hold, @now) from @taken;
            end;

            """),
        Json("@targets"), Int("@max"), Json("@shares"), Time("@now"), Time("@due"), Int("@retries"),
        Json("@limits"), BigInt("@ns"), Int("@order"), Int("@hold"), BigInt("@max_octets"));

    // 1 is Oldest, 2 RoundRobin; the numbers are those of ClaimOrder.
    private const string TogetherOrder =
        "case when @order = 2 then f.turn else 0 end, case when @order = 1 then 0 else f.ord end, case when @order = 1 then 0 else "
            + "-f.priority end, f.due_at, f.created_at, f.id";

    private static readonly Statement UnlockSql = new("delete from queue_locks where queue = @queue and tier = @tier", Queue("@queue"),
        Int("@tier"));

    public async Task<IReadOnlyList<IReadOnlyList<TaskState>>> ClaimTogetherAsync(IReadOnlyList<ClaimRequest> requests, ClaimRules rules,
        DateTime now)
    {
        var request = requests[0];
        var upTo = 0;
        var shares = Rows.Json([.. requests.Select((r, share) => (object?[])[share, upTo += r.Max, r.Worker, r.Credential, r.LeaseMs])]);
        var limits = Rows.Json(rules.Limits.Select(g =>
            (object?[])[g.Queue, g.MaxRunning, g.Rate?.PeriodNs ?? 0L, (long)(g.Rate?.MaxTokens ?? 0)]));
        var taken = await InTransactionAsync<List<Taken>>(async (connection, transaction) =>
        {
            foreach (var target in request.Targets.Where(_ => request.IsStrict).Select(TargetLock).Distinct().Order())
                await ExecuteAsync(connection, transaction, LockTargetSql, target);
            if (rules.Limits.Count > 0)
                await ReadAsync(connection, transaction, LockLimitsSql, r => r.GetString(0), limits);
            var rows = await ReadAsync(connection, transaction, request.IsStrict ? StrictClaimSql : LimitedClaimSql, ReadClaimed,
                Rows.Json(request.Targets), upTo, shares, now, now.AddMilliseconds(-request.MinAgeMs), request.MaxRetries,
                limits, Micros.FromTime(now) * 1000, (int)request.Order, Math.Max(request.LockMs, request.LeaseMs ?? 0), request.MaxBytes);
            await AppendStartedAsync(connection, transaction, rows, rules, now);
            await transaction.CommitAsync();
            return rows;
        });
        return [.. requests.Select((_, share) => InOrder(taken.Where(t => t.Share == share)))];
    }

    public Task UnlockAsync(QueueTier tier) => RunAsync(UnlockSql, tier.Queue, tier.Tier);

    /// <summary>The same in every process, unlike the hash code of a string.</summary>
    private static int TargetLock(QueueTier target) =>
        (int)(target.Queue.Aggregate(2166136261u ^ (uint)target.Tier, (hash, c) => (hash ^ c) * 16777619u) % TargetLocks);
}
