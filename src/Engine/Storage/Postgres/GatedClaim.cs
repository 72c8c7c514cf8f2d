using Npgsql;
using NpgsqlTypes;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    // The gates were locked by a statement before this one, so what is counted here stays true until the commit. A queue's
    // tasks are numbered in the order of the claim, over all its targets, and cut off at what its limits leave. A claim that
    // waited for the gate finds a bucket that later ones have emptied: by its own time that holds less than nothing.
    // Of the tasks that are left the first request gets the first, up to its maximum, and so on: $15 has the sums of these.
    private static readonly string GatedClaimSql = ClaimStatement(
        $"""
        gates as (
            select g.queue, g.period_ns, g.max_tokens, greatest(0, least($4,
                case when g.max_running > 0
                    then g.max_running - (select count(*) from tasks r where r.queue = g.queue and r.state = 4 and r.gated) end,
                case when g.period_ns > 0 then ($14 - greatest(b.bucket_base, $14 - g.max_tokens * g.period_ns)) / g.period_ns end)) as allowed
            from unnest($10, $11, $12, $13) as g(queue, max_running, period_ns, max_tokens)
            join queue_gates b on b.queue = g.queue),
        due as (
            select n.id, n.ord, width_bucket((row_number() over (order by {Order("n.ord", "n.priority", "n")}) - 1)::int, $15) + 1 as share from (
                select c.id, c.due_at, q.queue, q.ord, p.priority, coalesce(g.allowed, $4) as allowed,
                    row_number() over (partition by q.queue order by {Order("q.ord", "p.priority", "c")}) as number
                from unnest($1, $2) with ordinality as q(queue, level, ord)
                left join gates g on g.queue = q.queue
                cross join (values (4), (3), (2), (1)) as p(priority)
                {DueTasks("coalesce(g.allowed, $4)")}) as n
            where n.number <= n.allowed
            order by {Order("n.ord", "n.priority", "n")}
            limit $4)
        """,
        "from unnest(array(select id from due order by id), array(select share from due order by id)) as d(id, share) where t.id = d.id",
        worker: "($6)[d.share]",
        lease: "($7)[d.share]",
        gated: "t.queue = any($10)",
        more:
        """
        taken as (
            update queue_gates b set bucket_base = greatest(b.bucket_base, $14 - g.max_tokens * g.period_ns) + n.tasks * g.period_ns
            from gates g join (select queue, count(*) as tasks from claimed group by queue) as n on n.queue = g.queue
            where b.queue = g.queue and g.period_ns > 0),
        """,
        share: ", due.share");

    private const string LockGatesSql = "select 1 from queue_gates where queue = any($1) order by queue for update";

    public async Task<IReadOnlyList<IReadOnlyList<TaskState>>> ClaimGatedAsync(IReadOnlyList<ClaimRequest> requests, ClaimRules rules, DateTime now)
    {
        await using var connection = await source.OpenConnectionAsync();
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(Command(LockGatesSql, Value<string[]>([.. rules.Gates.Select(g => g.Queue)])));
        batch.BatchCommands.Add(Command(GatedClaimSql, [.. GatedValues(requests, rules, now)]));
        var tasks = requests.Select(_ => new List<TaskState>()).ToList();
        await using (var reader = await batch.ExecuteReaderAsync())
        {
            await reader.NextResultAsync();
            while (await reader.ReadAsync())
                tasks[reader.GetInt32(TaskColumn.All.Length) - 1].Add(TaskColumn.ReadRow(TaskColumn.All, reader));
        }

        return tasks;
    }

    private static IEnumerable<NpgsqlParameter> GatedValues(IReadOnlyList<ClaimRequest> requests, ClaimRules rules, DateTime now)
    {
        var (targets, gates, upTo) = (requests[0].Targets, rules.Gates, 0);
        int[] sums = [.. requests.Select(r => upTo += r.Max)];
        yield return Value(Queues(targets));
        yield return Value(Levels(targets));
        yield return Value(now);
        yield return Value(upTo);
        yield return Value(requests[0].Oldest);
        yield return Value<string[]>([.. requests.Select(r => r.Worker)]);
        yield return new NpgsqlParameter<int?[]> { TypedValue = [.. requests.Select(r => r.LeaseMs)], NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Integer };
        yield return Value(PickStream());
        yield return Value<string[]>([.. rules.Silent]);
        yield return Value<string[]>([.. gates.Select(g => g.Queue)]);
        yield return Value<int[]>([.. gates.Select(g => g.MaxRunning)]);
        yield return Value<long[]>([.. gates.Select(g => g.Rate?.PeriodNs ?? 0)]);
        yield return Value<long[]>([.. gates.Select(g => (long)(g.Rate?.MaxTokens ?? 0))]);
        yield return Value(Micros.FromTime(now) * 1000);
        yield return Value(sums);
    }
}
