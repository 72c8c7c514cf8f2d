using TaskQueue.Engine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    private const string UnlockSql = "delete from queue_locks where queue = @queue and tier = @tier";

    private const string DueSql =
        """
        select id, due_at, created_at, octets from ready
        where queue = @queue and tier = @tier and priority = @priority and not blocked and not push and due_at <= @due_by
          and (expires_at is null or expires_at > @now)
        order by due_at, created_at, id limit @max
        """;

    // The row is deleted by the next statement. What tasks alone has is read while the row is at hand.
    private static readonly string ClaimRowSql =
        $"""
        insert into running ({TaskColumn.List(TaskColumn.Running)})
        select {string.Join(", ", TaskColumn.Running.Select(Started))} from ready where id = @id
        returning {string.Join(", ", TaskColumn.Delivered.Select(Claimed))}
        """;

    /// <summary>The value of a column of a task that is claimed, with the same effect as the state machine's Start.</summary>
    private static string Started(TaskColumn column) => column.Name switch
    {
        "attempt" => "attempt + 1",
        "worker" => "@worker",
        "claimed_by" => "@claimed_by",
        "attempts_left" => "case when @max_retries is null then attempts_left - 1 when tier = 0 then 0 when @max_retries < 0 then 100 "
            + "else max(0, @max_retries - attempt) end",
        "lease_ms" => $"case when @lease_ms = 0 then min({int.MaxValue}, ({Life} - @now) / 1000) "
            + "else coalesce(@lease_ms, default_lease_ms) end",
        "lease_until" => $"case when @lease_ms = 0 then {Life} else @now + coalesce(@lease_ms, default_lease_ms) * 1000 end",
        "started_at" => "@now",
        "limited" => "@limited",
        _ => column.Name,
    };

    private static string Claimed(TaskColumn column) =>
        column.IsIn(TaskTable.Running) || !column.IsIn(TaskTable.Tasks)
            ? TaskViews.Select([column], TaskTable.Running, Missing, row: "")
            : $"(select {column.Name} from tasks t where t.id = running.id)";

    // Lease of a task that never expires.
    private const string Life = "coalesce(expires_at, @now + 24 * 86400000000)";

    private const string IsLockedSql =
        """
        select 1 from queue_locks l join running h on h.id = l.task_id
        where l.queue = @queue and l.tier = @tier and l.until > @now and h.attempt = l.attempt
        """;

    private const string LockSql =
        """
        insert into queue_locks (queue, tier, task_id, attempt, until) values (@queue, @tier, @task_id, @attempt, @until)
        on conflict (queue, tier) do update set task_id = excluded.task_id, attempt = excluded.attempt, until = excluded.until
        """;

    private const string NextDueSql =
        """
        select due_at from ready
        where queue = @queue and tier = @tier and priority = @priority and not blocked and not push and due_at > @now
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
                Append(tasks.SelectMany(list => list).SelectMany(t => t.Events));
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
            var task = Query(ClaimRowSql, r => TaskColumn.ReadRow(TaskColumn.Delivered, r), ("@id", next.Id), ("@worker", request.Worker),
                ("@claimed_by", OrNull(request.Credential)), ("@max_retries", OrNull(request.MaxRetries)),
                ("@lease_ms", OrNull(request.LeaseMs)), ("@now", Micros.FromTime(now)),
                ("@limited", limits.ContainsKey(next.Target.Queue)))[0];
            Execute(LeaveSql[TaskTable.Ready], task);
            if (!rules.Silent.Contains(task.Queue, StringComparer.Ordinal))
                task.Record(TaskEventType.Started, now);
            if (request.Order == ClaimOrder.Sequential)
            {
                Execute(LockSql, ("@queue", task.Queue), ("@tier", task.Tier), ("@task_id", task.CorrelationId), ("@attempt", task.Attempt),
                    ("@until", Micros.FromTime(now.AddMilliseconds(Math.Max(request.LockMs, request.LeaseMs ?? 0)))));
            }

            tasks.Add(task);
        }

        return tasks;
    }

    public Task UnlockAsync(QueueTier tier) =>
        UseAsync(() => Execute(UnlockSql, ("@queue", tier.Queue), ("@tier", tier.Tier)), write: true);

    public void NoteWaiting(QueueTier target, DateTime? firstDue)
    {
        // a claim always looks from the beginning
    }

    public Task<DateTime?> NextDueAsync(IReadOnlyList<QueueTier> targets, DateTime now) =>
        UseAsync(
            () => targets
                .SelectMany(t => Priorities.SelectMany(p => Query(NextDueSql, r => ReadTime(r, 0),
                    ("@queue", t.Queue), ("@tier", t.Tier), ("@priority", p), ("@now", Micros.FromTime(now)))))
                .Min(),
            write: false);

    private static readonly int[] Priorities = [4, 3, 2, 1];

    /// <summary>Due tasks in claim order, as far as the limits allow.</summary>
    private List<Due> SelectDue(ClaimRequest request, Dictionary<string, OpenedLimit> limits, long now)
    {
        var due = new List<Due>();
        var mixed = request.Order is ClaimOrder.Oldest or ClaimOrder.RoundRobin;
        foreach (var target in request.Targets.TakeWhile(_ => mixed || due.Count < request.Max))
        {
            if (request.Order == ClaimOrder.Sequential && IsLocked(target, now))
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
            ? due.OrderBy(d => d.DueAt).ThenBy(d => d.CreatedAt).ThenBy(d => d.Id, StringComparer.Ordinal)
            : due.OrderBy(d => d.Turn); // stable sort: targets keep their order
        return [.. ordered.Where(d => LetThrough(d, limits)).Take(request.Max)];
    }

    private bool IsLocked(QueueTier target, long now) =>
        Query(IsLockedSql, r => r.GetInt32(0), ("@queue", target.Queue), ("@tier", target.Tier), ("@now", now)).Count > 0;

    /// <summary>Due tasks of one target by priority; for the oldest, by age only.</summary>
    private List<Due> SelectDue(QueueTier target, ClaimRequest request, int max, long now)
    {
        var found = new List<Due>();
        foreach (var priority in Priorities.TakeWhile(_ => request.Order == ClaimOrder.Oldest || found.Count < max))
        {
            found.AddRange(Query(DueSql, r => new Due(r.GetString(0), target, r.GetInt64(1), r.GetInt64(2), 0, r.GetInt64(3)),
                ("@queue", target.Queue), ("@tier", target.Tier), ("@priority", priority), ("@now", now), ("@max", max),
                ("@due_by", now - (request.MinAgeMs * 1000L))));
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

    private readonly record struct Due(string Id, QueueTier Target, long DueAt, long CreatedAt, int Turn, long Bytes);
}
