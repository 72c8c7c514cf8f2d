using Npgsql;
using TaskQueue.Engine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

/// <summary>Claims from queues with limits, and claims in strict order.</summary>
internal sealed partial class PostgresTaskStore
{
    private const string UnlockSql = "delete from queue_locks where queue = $1 and tier = $2";

    // A preceding statement locked the limits, so these counts stay valid until the commit. The tasks of a queue are numbered in claim
    // order over all its targets, and cut off at what its limits leave. A claim that waited for the row may find a bucket that later ones
    // have emptied: at its older timestamp the token count is negative. The first request gets the first of the remaining tasks, up to its
    // maximum, and so on: $16 has the cumulative maximums. Beyond $19 bytes no request gets any.
    private static readonly string LimitedClaimSql = ClaimTogether("for update skip locked", $"due as materialized (\n{Picked})", more: "");

    // Claims of these targets are serialized, so tasks need not be locked before they are chosen: only the chosen ones are locked, and
    // those that another transaction is changing are skipped.
    private static readonly string StrictClaimSql = ClaimTogether(
        "",
        $"""
        picked as materialized (
        {Picked}),
        due as materialized (
            select p.id, p.turn, p.share, l.place from picked p cross join lateral (
                select r.ctid as place from ready r where r.id = p.id and not r.blocked for update skip locked) as l)
        """,
        more:
        $"""
        locked_targets as (
            insert into queue_locks (queue, tier, task_id, attempt, until)
            select queue, tier, id, attempt, $3 + greatest($20, ($6)[1]) * interval '1 millisecond' from started
                where $17 = {(int)ClaimOrder.Sequential}
            on conflict (queue, tier) do update set task_id = excluded.task_id, attempt = excluded.attempt, until = excluded.until),
        """);

    private const string Picked =
        $"""
            select s.id, s.place, s.turn, s.share from (
                select n.id, n.place, n.turn, n.octets, width_bucket((row_number() over (order by n.turn) - 1)::int, $16) + 1 as share,
                    sum(n.octets) over (order by n.turn rows unbounded preceding) as octets_so_far
                from (
                    select f.id, f.place, f.octets, f.allowed, row_number() over (order by {TogetherOrder}) as turn,
                        row_number() over (partition by f.queue order by {TogetherOrder}) as number
                    from found f where $17 <> 4 or f.turn = 1) as n
                where n.number <= n.allowed
                order by n.turn limit $4) as s
            where s.octets_so_far <= $19 or s.octets_so_far = s.octets
        """;

    // 1 is Oldest, 2 RoundRobin; the numbers are those of ClaimOrder.
    private const string TogetherOrder =
        "case when $17 = 2 then f.turn else 0 end, case when $17 = 1 then 0 else f.ord end, case when $17 = 1 then 0 else -f.priority "
            + "end, f.due_at, f.created_at, f.id";

    private static string ClaimTogether(string locking, string due, string more) => ClaimStatement(
        $"""
        limits as (
            select g.queue, g.period_ns, g.max_tokens, greatest(0, least($4,
                case when g.max_running > 0
                    then g.max_running - (select count(*) from running r where r.queue = g.queue and r.limited) end,
                case when g.period_ns > 0 then ($15 - greatest(b.bucket_base,
                    $15 - g.max_tokens * g.period_ns)) / g.period_ns end)) as allowed
            from unnest($11, $12, $13, $14) as g(queue, max_running, period_ns, max_tokens)
            join queue_limits b on b.queue = g.queue),
        targets as (
            select q.queue, q.tier, q.ord, p.priority, coalesce(g.allowed, $4) as allowed
            from unnest($1, $2) with ordinality as q(queue, tier, ord)
            left join limits g on g.queue = q.queue
            cross join (values (4), (3), (2), (1)) as p(priority)
            where $17 <> {(int)ClaimOrder.Sequential} or not exists (
                select 1 from queue_locks l join running h on h.id = l.task_id
                where l.queue = q.queue and l.tier = q.tier and l.until > $3 and h.attempt = l.attempt)),
        found as (
            select c.place, c.id, c.due_at, c.created_at, c.octets, q.queue, q.ord, q.priority, q.allowed,
                row_number() over (partition by q.ord order by q.priority desc, c.due_at, c.created_at, c.id) as turn
            from targets q
            cross join lateral ({DueTasks(
                $"least(q.allowed, case when $17 = {(int)ClaimOrder.Sequential} then 1 end)", "'-infinity'")}
                {locking}) as c),
        {due}
        """,
        "true",
        "taken t join due d on d.id = t.id",
        worker: "($5)[d.share]",
        claimedBy: "($18)[d.share]",
        lease: "($6)[d.share]",
        limited: "t.queue = any($11)",
        more:
        $"""
        {more}
        counted_tokens as (
            update queue_limits b set bucket_base = greatest(b.bucket_base, $15 - g.max_tokens * g.period_ns) + n.tasks * g.period_ns
            from limits g join (select queue, count(*) as tasks from started group by queue) as n on n.queue = g.queue
            where b.queue = g.queue and g.period_ns > 0),
        """,
        share: ", due.share, due.turn",
        joined: " join due on due.id = s.id");

    private const string LockLimitsSql = "select 1 from queue_limits where queue = any($1) order by queue for update";

    // A fixed number of locks for all targets: two targets that share one only wait needlessly.
    private const string LockTargetsSql =
        """
        select pg_advisory_xact_lock($3, b) from (
            select distinct abs(hashtext(queue || ':' || tier) % 64) as b from unnest($1, $2) as q(queue, tier) order by 1) as buckets
        """;

    public Task<IReadOnlyList<IReadOnlyList<TaskState>>> ClaimTogetherAsync(
        IReadOnlyList<ClaimRequest> requests, ClaimRules rules, DateTime now) =>
        rules.Limits.Count > 0 || requests[0].IsStrict ? ClaimLimitedAsync(requests, rules, now)
            : ClaimCombinedAsync(requests, rules, now);

    private async Task<IReadOnlyList<IReadOnlyList<TaskState>>> ClaimLimitedAsync(
        IReadOnlyList<ClaimRequest> requests, ClaimRules rules, DateTime now)
    {
        var request = requests[0];
        await using var connection = await source.OpenConnectionAsync();
        await using var batch = new NpgsqlBatch(connection);
        if (request.IsStrict)
            batch.BatchCommands.Add(Command(LockTargetsSql, Value(Queues(request.Targets)), Value(Tiers(request.Targets)),
                Value(TargetsSpace)));
        if (rules.Limits.Count > 0)
            batch.BatchCommands.Add(Command(LockLimitsSql, Value<string[]>([.. rules.Limits.Select(g => g.Queue)])));
        batch.BatchCommands.Add(request.IsStrict
            ? Command(StrictClaimSql, [.. TogetherValues(requests, rules, now), Value(request.LockMs)])
            : Command(LimitedClaimSql, [.. TogetherValues(requests, rules, now)]));
        var tasks = requests.Select(_ => new List<(long Turn, TaskState Task)>()).ToList();
        await using (var reader = await batch.ExecuteReaderAsync())
        {
            for (var locks = batch.BatchCommands.Count - 1; locks > 0; locks--)
                await reader.NextResultAsync();
            while (await reader.ReadAsync())
            {
                if (await reader.IsDBNullAsync(0))
                    break; // none
                tasks[reader.GetInt32(TaskColumn.Delivered.Length) - 1].Add(
                    (reader.GetInt64(TaskColumn.Delivered.Length + 1), TaskColumn.ReadRow(TaskColumn.Delivered, reader)));
            }
        }

        return [.. tasks.Select(share => share.OrderBy(t => t.Turn).Select(t => t.Task).ToList())];
    }

    public Task UnlockAsync(QueueTier tier) => RunAsync(UnlockSql, () => [Value(tier.Queue), Value(tier.Tier)]);

    private static IEnumerable<NpgsqlParameter> TogetherValues(IReadOnlyList<ClaimRequest> requests, ClaimRules rules, DateTime now)
    {
        var (request, limits, upTo) = (requests[0], rules.Limits, 0);
        int[] sums = [.. requests.Select(r => upTo += r.Max)];
        yield return Value(Queues(request.Targets));
        yield return Value(Tiers(request.Targets));
        yield return Value(now);
        yield return Value(upTo);
        yield return Value<string[]>([.. requests.Select(r => r.Worker)]);
        yield return Leases(requests);
        yield return Value(PickPartition());
        yield return Value<string[]>([.. rules.Silent]);
        yield return Value(now.AddMilliseconds(-request.MinAgeMs));
        yield return Nullable(request.MaxRetries);
        yield return Value<string[]>([.. limits.Select(g => g.Queue)]);
        yield return Value<int[]>([.. limits.Select(g => g.MaxRunning)]);
        yield return Value<long[]>([.. limits.Select(g => g.Rate?.PeriodNs ?? 0)]);
        yield return Value<long[]>([.. limits.Select(g => (long)(g.Rate?.MaxTokens ?? 0))]);
        yield return Value(Micros.FromTime(now) * 1000);
        yield return Value(sums);
        yield return Value((int)request.Order);
        yield return Value<string?[]>([.. requests.Select(r => r.Credential)]);
        yield return Value(request.MaxBytes);
    }
}
