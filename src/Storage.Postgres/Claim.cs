using System.Diagnostics;
using Npgsql;
using NpgsqlTypes;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    // The parts, in the order of the claim, are read one after the other, and only as far as there is room: no row is locked that is not
    // taken, but for those that exceed the bytes. Rows locked by another claim are skipped.
    private static readonly string ClaimSql = ClaimStatement(
        DueOf("1"), WithinBytes, "taken t", worker: "$5", claimedBy: "$11", lease: "$6", limited: "false");

    // The first request gets the first of the tasks, up to its maximum, and so on: $15 has the cumulative maximums.
    private static readonly string CombinedClaimSql = ClaimStatement(
        DueOf("width_bucket((c.n - 1)::int, $15) + 1"), WithinBytes,
        "taken t join due d on d.id = t.id", worker: "($5)[d.share]", claimedBy: "($11)[d.share]", lease: "($6)[d.share]",
        limited: "false", share: ", due.share, due.n", joined: " join due on due.id = s.id");

    private const string WithinBytes = "octets_so_far <= $14 or octets_so_far = octets";

    private static string DueOf(string share) =>
        $"""
        due as materialized (
            select c.place, c.id, c.octets, c.n, {share} as share,
                sum(c.octets) over (order by c.n rows unbounded preceding) as octets_so_far
            from (
                select d.place, d.id, d.octets, row_number() over () as n
                from unnest($1, $2, $12, $13) as q(queue, tier, priority, due_from)
                cross join lateral ({DueTasks("$4", "q.due_from")}
                    for update skip locked) as d
                limit $4) as c)
        """;

    private static string DueTasks(string limit, string from) =>
        $"""

            select r.ctid as place, r.id, r.due_at, r.created_at, r.octets from ready r
            where r.queue = q.queue and r.tier = q.tier and r.priority = q.priority and not r.blocked and not r.push
              and r.due_at >= {from} and r.due_at <= $9 and (r.expires_at is null or r.expires_at > $3)
            order by r.due_at, r.created_at, r.id limit {limit}
        """;

    /// <summary>What only the row in <c>tasks</c> has.</summary>
    private static string Cold => TaskColumn.List(TaskColumn.Delivered.Where(c => c.Tables == TaskTable.Tasks));

    /// <param name="due">CTEs that choose the tasks.</param>
    /// <param name="which">Which rows of the last, due, are taken.</param>
    /// <param name="taken">The deleted rows, as t, and what else the expressions need.</param>
    /// <param name="worker">The claiming worker.</param>
    /// <param name="claimedBy">The claiming credential.</param>
    /// <param name="lease">Lease in milliseconds, 0 for the task's lifetime, or null for the task's own.</param>
    /// <param name="limited">Whether the task counts against a concurrency limit.</param>
    /// <param name="more">CTEs after started.</param>
    /// <param name="share">Columns to select besides the tasks.</param>
    /// <param name="joined">Where these columns are from.</param>
    private static string ClaimStatement(
        string due, string which, string taken, string worker, string claimedBy, string lease, string limited, string more = "",
        string share = "", string joined = "") =>
        $"""
        with {due},
        taken as (
            delete from ready where ctid = any(array(select place from due where {which})) returning {TaskColumn.List(TaskColumn.Ready)}),
        started as (
            insert into running ({TaskColumn.List(TaskColumn.Running)})
            select {string.Join(", ", TaskColumn.Running.Select(c => Started(c, worker, claimedBy, lease, limited)))}
            from {taken}
            returning {TaskColumn.List(TaskColumn.Running)}),
        {more}
        {OutboxWrites.Lock("$7", after: "started")},
        appended as (
            {OutboxWrites.AppendOf("$7", TaskEventType.Started, "$3", "started where not queue = any($8)")})
        select {TaskViews.Select(TaskColumn.Delivered, TaskTable.Running, Missing, "s.", "t.")}{share}, c.chosen
        from (select count(*) as chosen from due where {which}) as c left join (
            started s{joined} cross join lateral (select {Cold} from tasks t where t.id = s.id offset 0) as t) on true
        """;

    /// <summary>The value of a column of a task that was just claimed, with the same effect as the state machine's Start.</summary>
    private static string Started(TaskColumn column, string worker, string claimedBy, string lease, string limited) => column.Name switch
    {
        "attempt" => "t.attempt + 1",
        "worker" => worker,
        "claimed_by" => claimedBy,
        "attempts_left" => "case when $10 is null then t.attempts_left - 1 when t.tier = 0 then 0 when $10 < 0 then 100 "
            + "else greatest(0, $10 - t.attempt) end",
        "lease_ms" => $"case when {lease} = 0 then least({int.MaxValue}, extract(epoch from {Life} - $3) * 1000)::int "
            + $"else coalesce({lease}, t.default_lease_ms) end",
        "lease_until" => $"case when {lease} = 0 then {Life} "
            + $"else $3 + coalesce({lease}, t.default_lease_ms) * interval '1 millisecond' end",
        "started_at" => "$3",
        "limited" => limited,
        _ => "t." + column.Name,
    };

    // Lease of a task that never expires.
    private const string Life = "coalesce(t.expires_at, $3 + interval '24 days')";

    private const string NextDueSql =
        """
        select min(c.due_at)
        from unnest($1, $2) as q(queue, tier)
        cross join (values (4), (3), (2), (1)) as p(priority)
        cross join lateral (
            select r.due_at from ready r
            where r.queue = q.queue and r.tier = q.tier and r.priority = p.priority and not r.blocked and not r.push and r.due_at > $3
            order by r.due_at limit 1) as c
        """;

    private readonly ClaimMarks _marks = new();

    public async Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, ClaimRules rules, DateTime now)
    {
        if (rules.Limits.Count > 0 || request.IsStrict)
            return (await ClaimLimitedAsync([request], rules, now))[0];
        var tasks = await ClaimAsync(ClaimSql, request, rules, now, request.Max, Value(request.Worker), Nullable(request.LeaseMs),
            Nullable(request.Credential));
        return InOrder(request.Targets, tasks.Select(t => t.Task));
    }

    private async Task<IReadOnlyList<IReadOnlyList<TaskState>>> ClaimCombinedAsync(
        IReadOnlyList<ClaimRequest> requests, ClaimRules rules, DateTime now)
    {
        var upTo = 0;
        int[] sums = [.. requests.Select(r => upTo += r.Max)];
        var tasks = await ClaimAsync(CombinedClaimSql, requests[0], rules, now, upTo, Value<string[]>([.. requests.Select(r => r.Worker)]),
            Leases(requests), Value<string?[]>([.. requests.Select(r => r.Credential)]), Value(sums));
        var shares = tasks.ToLookup(t => t.Share, t => t.Task);
        return [.. requests.Select((r, place) => InOrder(r.Targets, shares[place + 1]))];
    }

    /// <summary>Claims for one request, or for several with the same targets.</summary>
    /// <returns>The tasks, each with the number of its request if there are several.</returns>
    private async Task<List<(int Share, TaskState Task)>> ClaimAsync(string sql, ClaimRequest request, ClaimRules rules, DateTime now,
        int max, NpgsqlParameter worker, NpgsqlParameter lease, NpgsqlParameter credential, NpgsqlParameter? sums = null)
    {
        while (true)
        {
            var parts = _marks.PartsOf(request.Targets, now);
            var dueBy = now.AddMilliseconds(-request.MinAgeMs);
            await using var command = source.CreateCommand(sql);
            command.Parameters.AddRange((NpgsqlParameter[])
            [
                Value<string[]>([.. parts.Select(p => p.Target.Queue)]), Value<int[]>([.. parts.Select(p => p.Target.Tier)]), Value(now),
                Value(max), worker.Clone(), lease.Clone(), Value(PickPartition()), Value<string[]>([.. rules.Silent]), Value(dueBy),
                Nullable(request.MaxRetries), credential.Clone(), Value<int[]>([.. parts.Select(p => (int)p.Priority)]),
                Value<DateTime[]>([.. parts.Select(p => p.From)]), Value(request.MaxBytes),
            ]);
            if (sums is not null)
                command.Parameters.Add(sums.Clone());
            var tasks = new List<(int, TaskState Task)>();
            var (chosen, started) = (0L, Stopwatch.GetTimestamp());
            await using (var reader = await command.ExecuteReaderAsync())
            {
                while (await reader.ReadAsync())
                {
                    chosen = reader.GetInt64(reader.FieldCount - 1);
                    if (!await reader.IsDBNullAsync(0))
                        tasks.Add((sums is null ? 1 : reader.GetInt32(TaskColumn.Delivered.Length),
                            TaskColumn.ReadRow(TaskColumn.Delivered, reader)));
                }
            }

            if (chosen == tasks.Count)
                _marks.Claimed(parts, [.. tasks.Select(t => t.Task)], dueBy, now, Stopwatch.GetElapsedTime(started));
            if (chosen == tasks.Count || tasks.Count > 0)
                return tasks; // otherwise all of them were changed after the statement had begun
        }
    }

    private static NpgsqlParameter<int?[]> Leases(IReadOnlyList<ClaimRequest> requests) => new()
    {
        TypedValue = [.. requests.Select(r => r.LeaseMs)], NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Integer,
    };

    public void NoteWaiting(QueueTier target, DateTime? firstDue)
    {
        if (firstDue is { } due)
            _marks.Lower(target, due);
        else
            _marks.Forget(target.Queue);
    }

    public Task<DateTime?> NextDueAsync(IReadOnlyList<QueueTier> targets, DateTime now) =>
        ReadTimeAsync(NextDueSql, Value(Queues(targets)), Value(Tiers(targets)), Value(now));

    /// <summary>A statement returns its rows in any order.</summary>
    private static List<TaskState> InOrder(IReadOnlyList<QueueTier> targets, IEnumerable<TaskState> tasks)
    {
        var places = new Dictionary<QueueTier, int>();
        foreach (var target in targets)
            places.TryAdd(target, places.Count);
        return [.. tasks.OrderBy(t => places[new(t.Queue, t.Tier)]).ThenByDescending(t => t.Priority).ThenBy(t => t.DueAt)
            .ThenBy(t => t.CreatedAt).ThenBy(t => t.CorrelationId)];
    }

    private static string[] Queues(IReadOnlyList<QueueTier> targets) => [.. targets.Select(t => t.Queue)];

    private static int[] Tiers(IReadOnlyList<QueueTier> targets) => [.. targets.Select(t => t.Tier)];
}
