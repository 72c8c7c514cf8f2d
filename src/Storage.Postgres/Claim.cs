using Npgsql;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    // One index range for each target and priority, so that neither finished nor future tasks are scanned. Rows locked by another claim are
    // skipped; the update repeats the state test for rows changed in the meantime. The ids are passed to the update as an array: joined to
    // the CTE, whose size the planner cannot know, it would scan the table. The partition is locked after the last row, and before the
    // first event draws its id. The lengths of texts are known without reading them, even if they are stored out of line.
    private static readonly string ClaimSql = ClaimStatement(
        $"""
        due as (
            select f.id, f.ord from (
                select c.id, q.ord, c.octets,
                    sum(c.octets) over (order by q.ord, -p.priority, c.due_at, c.id rows unbounded preceding) as octets_so_far
                from unnest($1, $2) with ordinality as q(queue, tier, ord)
                cross join (values (4), (3), (2), (1)) as p(priority)
                cross join lateral ({DueTasks("$4")}
                    for update skip locked) as c
                order by q.ord, -p.priority, c.due_at, c.id
                limit $4) as f
            where f.octets_so_far <= $12 or f.octets_so_far = f.octets)
        """,
        "where t.id = any(array(select id from due))", worker: "$5", claimedBy: "$11", lease: "$6", limited: "false",
        order: "due.ord, -c.priority, c.due_at, c.id");

    private static string DueTasks(string limit) =>
        $"""

            select t.id, t.due_at, octet_length(t.payload) + coalesce(octet_length(t.headers), 0) as octets from tasks t
            where t.queue = q.queue and t.tier = q.tier and t.priority = p.priority
              and t.state in {SqlStates.Waiting} and not t.blocked and not t.push and t.due_at <= $9
              and (t.expires_at is null or t.expires_at > $3)
            order by t.due_at, t.id limit {limit}
        """;

    /// <param name="due">CTEs; the last, named due, has the ids to claim and their order.</param>
    /// <param name="which">Where the update finds the ids.</param>
    /// <param name="worker">The claiming worker.</param>
    /// <param name="claimedBy">The claiming credential.</param>
    /// <param name="lease">Lease in milliseconds, 0 for the task's lifetime, or null for the task's own.</param>
    /// <param name="limited">Whether the task counts against a concurrency limit.</param>
    /// <param name="order">Order of the result.</param>
    /// <param name="more">CTEs after claimed.</param>
    /// <param name="share">Columns to select besides the tasks.</param>
    private static string ClaimStatement(
        string due, string which, string worker, string claimedBy, string lease, string limited, string order, string more = "",
        string share = "") =>
        $"""
        with {due},
        claimed as (
            update tasks t
            set state = {TaskStates.Running}, attempt = t.attempt + 1, worker = {worker}, claimed_by = {claimedBy},
                attempts_left = case when $10 is null then t.attempts_left - 1 when t.tier = 0 then 0 when $10 < 0 then 100
                    else greatest(0, $10 - t.attempt) end,
                lease_ms = case when {lease} = 0 then least({int.MaxValue}, extract(epoch from {Life} - $3) * 1000)::int
                    else coalesce({lease}, t.default_lease_ms) end,
                lease_until = case when {lease} = 0 then {Life}
                    else $3 + coalesce({lease}, t.default_lease_ms) * interval '1 millisecond' end,
                started_at = $3, dispatch_at = null, limited = {limited}
            {which} and t.state in {SqlStates.Waiting} and not t.blocked
            returning {TaskColumn.List(TaskColumn.All, "t.")}),
        {more}
        locked as (
            select pg_advisory_xact_lock({LockSpace}, $7) where (select count(*) from claimed) > 0),
        appended as (
            insert into task_events (stream, task_id, type, queue, tier, attempt, worker, at, dispatch, frees)
            select $7, id, {(int)TaskEventType.Started}, queue, tier, attempt, worker, started_at, false, false from locked, claimed
            where not queue = any($8))
        select {TaskColumn.List(TaskColumn.All, "c.")}{share} from claimed c join due on due.id = c.id
        order by {order}
        """;

    // Lease of a task that never expires.
    private const string Life = "coalesce(t.expires_at, $3 + interval '24 days')";

    private const string NextDueSql =
        $"""
        select min(c.due_at)
        from unnest($1, $2) as q(queue, tier)
        cross join (values (4), (3), (2), (1)) as p(priority)
        cross join lateral (
            select t.due_at from tasks t
            where t.queue = q.queue and t.tier = q.tier and t.priority = p.priority
              and t.state in {SqlStates.Waiting} and not t.blocked and not t.push and t.due_at > $3
            order by t.due_at limit 1) as c
        """;

    public async Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, ClaimRules rules, DateTime now)
    {
        if (rules.Limits.Count > 0 || request.IsStrict)
            return (await ClaimTogetherAsync([request], rules, now))[0];
        await using var command = source.CreateCommand(ClaimSql);
        command.Parameters.AddRange((NpgsqlParameter[])
        [
            Value(Queues(request.Targets)), Value(Tiers(request.Targets)), Value(now), Value(request.Max),
            Value(request.Worker), Nullable(request.LeaseMs), Value(PickStream()), Value<string[]>([.. rules.Silent]),
            Value(now.AddMilliseconds(-request.MinAgeMs)), Nullable(request.MaxRetries), Nullable(request.Credential),
            Value(request.MaxBytes),
        ]);
        await using var reader = await command.ExecuteReaderAsync();
        var tasks = new List<TaskState>();
        while (await reader.ReadAsync())
            tasks.Add(TaskColumn.ReadRow(TaskColumn.All, reader));
        return tasks;
    }

    public Task<DateTime?> NextDueAsync(IReadOnlyList<QueueTier> targets, DateTime now) =>
        ReadTimeAsync(NextDueSql, Value(Queues(targets)), Value(Tiers(targets)), Value(now));

    private static string[] Queues(IReadOnlyList<QueueTier> targets) => [.. targets.Select(t => t.Queue)];

    private static int[] Tiers(IReadOnlyList<QueueTier> targets) => [.. targets.Select(t => t.Tier)];
}
