using TaskQueue.Engine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    private const string UnlockSql = "delete from queue_locks where queue = @0 and tier = @1";

    private const string DueSql =
        $"""
        select id, due_at, octet_length(payload) + coalesce(octet_length(headers), 0) from tasks
        where queue = @0 and tier = @1 and priority = @2 and state in {SqlStates.Waiting} and not blocked and not push and due_at <= @5
          and (expires_at is null or expires_at > @3)
        order by due_at, id limit @4
        """;

    private static readonly string ClaimRowSql =
        $"""
        update tasks
        set state = {TaskStates.Running}, attempt = attempt + 1, worker = @1, claimed_by = @6,
            attempts_left = case when @5 is null then attempts_left - 1 when tier = 0 then 0 when @5 < 0 then 100
                else max(0, @5 - attempt) end,
            lease_ms = case when @2 = 0 then min({int.MaxValue}, ({Life} - @3) / 1000) else coalesce(@2, default_lease_ms) end,
            lease_until = case when @2 = 0 then {Life} else @3 + coalesce(@2, default_lease_ms) * 1000 end,
            started_at = @3, dispatch_at = null, limited = @4
        where id = @0
        returning {TaskColumn.List(TaskColumn.All)}
        """;

    // Lease of a task that never expires.
    private const string Life = "coalesce(expires_at, @3 + 24 * 86400000000)";

    private const string IsLockedSql =
        $"""
        select 1 from queue_locks l join tasks h on h.id = l.task_id
        where l.queue = @0 and l.tier = @1 and l.until > @2 and h.state = {SqlStates.Running} and h.attempt = l.attempt
        """;

    private const string LockSql =
        """
        insert into queue_locks (queue, tier, task_id, attempt, until) values (@0, @1, @2, @3, @4)
        on conflict (queue, tier) do update set task_id = @2, attempt = @3, until = @4
        """;

    private const string NextDueSql =
        $"""
        select due_at from tasks
        where queue = @0 and tier = @1 and priority = @2 and state in {SqlStates.Waiting} and not blocked and not push and due_at > @3
        order by due_at limit 1
        """;

    public async Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, ClaimRules rules, DateTime now) =>
        (await ClaimTogetherAsync([request], rules, now))[0];

    public Task<IReadOnlyList<IReadOnlyList<TaskState>>> ClaimTogetherAsync(IReadOnlyList<ClaimRequest> requests, ClaimRules rules,
        DateTime now) =>
        UseAsync<IReadOnlyList<IReadOnlyList<TaskState>>>(
            () =>
            {
                var micros = Micros.FromTime(now);
                var limits = rules.Limits.Select(g => OpenLimit(g, micros)).ToDictionary(g => g.Limit.Queue);
                var due = new Queue<Due>(Cut(SelectDue(requests[0] with { Max = requests.Sum(r => r.Max) }, limits, micros),
                    requests[0].MaxBytes, limits));
                var tasks = requests.Select(r => Take(r, due, limits, rules, now)).ToList();
                Append([.. tasks.SelectMany(list => list).SelectMany(t => t.Events)]);
                foreach (var limit in limits.Values)
                    CloseLimit(limit);
                return tasks;
            },
            write: true);

    private List<TaskState> Take(ClaimRequest request, Queue<Due> due, Dictionary<string, OpenedLimit> limits, ClaimRules rules,
        DateTime now)
    {
        var tasks = new List<TaskState>();
        while (tasks.Count < request.Max && due.TryDequeue(out var next))
        {
            var task = Query(ClaimRowSql, r => TaskColumn.ReadRow(TaskColumn.All, r), next.Id, request.Worker, OrNull(request.LeaseMs),
                Micros.FromTime(now), limits.ContainsKey(next.Target.Queue), OrNull(request.MaxRetries), OrNull(request.Credential))[0];
            if (!rules.Silent.Contains(task.Queue, StringComparer.Ordinal))
                task.Record(TaskEventType.Started, now);
            if (request.Order == ClaimOrder.Sequential)
            {
                Execute(LockSql, task.Queue, task.Tier, TaskColumn.Id.SqliteValue(task), task.Attempt,
                    Micros.FromTime(now.AddMilliseconds(Math.Max(request.LockMs, request.LeaseMs ?? 0))));
            }

            tasks.Add(task);
        }

        return tasks;
    }

    public Task UnlockAsync(QueueTier tier) =>
        UseAsync(() => Execute(UnlockSql, tier.Queue, tier.Tier), write: true);

    public Task<DateTime?> NextDueAsync(IReadOnlyList<QueueTier> targets, DateTime now) =>
        UseAsync(
            () => ToTime(targets
                .SelectMany(t =>
                    Priorities.SelectMany(p => Query(NextDueSql, r => (long?)r.GetInt64(0), t.Queue, t.Tier, p, Micros.FromTime(now))))
                .Min()),
            write: false);

    private static readonly int[] Priorities = [4, 3, 2, 1];

    /// <summary>Due tasks in claim order, as far as the limits allow.</summary>
    private List<Due> SelectDue(ClaimRequest request, Dictionary<string, OpenedLimit> limits, long now)
    {
        var due = new List<Due>();
        var mixed = request.Order is ClaimOrder.Oldest or ClaimOrder.RoundRobin;
        foreach (var target in request.Targets.TakeWhile(_ => mixed || due.Count < request.Max))
        {
            if (request.Order == ClaimOrder.Sequential && Query(IsLockedSql, r => r.GetInt32(0), target.Queue, target.Tier, now).Count > 0)
                continue;
            var max = request.Order == ClaimOrder.Sequential ? 1 : request.Max;
            if (limits.TryGetValue(target.Queue, out var limit))
                max = Math.Min(limit.Allowed, max);
            var found = SelectDue(target, request, max, now);
            due.AddRange(mixed ? found : found.Where(d => LetThrough(d, limits)).Take(request.Max - due.Count));
        }

        if (!mixed)
            return due;
        var ordered = request.Order == ClaimOrder.Oldest
            ? due.OrderBy(d => d.DueAt).ThenBy(d => d.Id, StringComparer.Ordinal)
            : due.OrderBy(d => d.Turn); // stable sort: targets keep their order
        return [.. ordered.Where(d => LetThrough(d, limits)).Take(request.Max)];
    }

    /// <summary>Due tasks of one target by priority; for the oldest, by age only.</summary>
    private List<Due> SelectDue(QueueTier target, ClaimRequest request, int max, long now)
    {
        var found = new List<Due>();
        foreach (var priority in Priorities.TakeWhile(_ => request.Order == ClaimOrder.Oldest || found.Count < max))
        {
            found.AddRange(Query(DueSql, r => new Due(r.GetString(0), target, r.GetInt64(1), 0, r.GetInt64(2)),
                target.Queue, target.Tier, priority, now, max, now - (request.MinAgeMs * 1000L)));
        }

        return [.. found.Select((d, turn) => d with { Turn = turn })];
    }

    /// <summary>Cuts off the tasks beyond the byte limit, and returns their share of the limits.</summary>
    private static List<Due> Cut(List<Due> due, long maxBytes, Dictionary<string, OpenedLimit> limits)
    {
        var (count, bytes) = (0, 0L);
        while (count < due.Count && (count == 0 || bytes + due[count].Bytes <= maxBytes))
            bytes += due[count++].Bytes;
        foreach (var left in due[count..])
        {
            if (limits.TryGetValue(left.Target.Queue, out var limit))
                limit.Taken--;
        }

        return due[..count];
    }

    private static bool LetThrough(Due due, Dictionary<string, OpenedLimit> limits)
    {
        if (!limits.TryGetValue(due.Target.Queue, out var limit))
            return true;
        if (limit.Taken >= limit.Allowed)
            return false;
        limit.Taken++;
        return true;
    }

    private readonly record struct Due(string Id, QueueTier Target, long DueAt, int Turn, long Bytes);
}
