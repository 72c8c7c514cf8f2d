using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    private const string DueSql =
        """
        select id, due_at from tasks
        where queue = @0 and level = @1 and priority = @2 and state in (3, 7) and not held and not push and due_at <= @3
          and (expires_at is null or expires_at > @3)
        order by due_at, id limit @4
        """;

    private static readonly string ClaimRowSql =
        $"""
        update tasks
        set state = {TaskStates.Running}, attempt = attempt + 1, attempts_left = attempts_left - 1, worker = @1,
            lease_ms = coalesce(@2, default_lease_ms), lease_until = @3 + coalesce(@2, default_lease_ms) * 1000, started_at = @3,
            dispatch_at = null, gated = @4
        where id = @0
        returning {TaskColumn.List(TaskColumn.All)}
        """;

    private const string NextDueSql =
        """
        select due_at from tasks
        where queue = @0 and level = @1 and priority = @2 and state in (3, 7) and not held and not push and due_at > @3
        order by due_at limit 1
        """;

    public async Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, ClaimRules rules, DateTime now) =>
        (await ClaimGatedAsync([request], rules, now))[0];

    public Task<IReadOnlyList<IReadOnlyList<TaskState>>> ClaimGatedAsync(IReadOnlyList<ClaimRequest> requests, ClaimRules rules, DateTime now) =>
        UseAsync<IReadOnlyList<IReadOnlyList<TaskState>>>(
            () =>
            {
                var micros = Micros.FromTime(now);
                var gates = rules.Gates.Select(g => OpenGate(g, micros)).ToDictionary(g => g.Gate.Queue);
                var due = new Queue<Due>(SelectDue(requests[0] with { Max = requests.Sum(r => r.Max) }, gates, micros));
                var tasks = requests.Select(r => Take(r, due, gates, rules, now)).ToList();
                Append([.. tasks.SelectMany(list => list).SelectMany(t => t.Events)]);
                foreach (var gate in gates.Values)
                    CloseGate(gate);
                return tasks;
            },
            write: true);

    private List<TaskState> Take(ClaimRequest request, Queue<Due> due, Dictionary<string, OpenedGate> gates, ClaimRules rules, DateTime now)
    {
        var tasks = new List<TaskState>();
        while (tasks.Count < request.Max && due.TryDequeue(out var next))
        {
            var task = Query(ClaimRowSql, r => TaskColumn.ReadRow(TaskColumn.All, r),
                next.Id, request.Worker, OrNull(request.LeaseMs), Micros.FromTime(now), gates.ContainsKey(next.Queue))[0];
            if (!rules.Silent.Contains(task.Queue, StringComparer.Ordinal))
                task.Record(TaskEventType.Started, now);
            tasks.Add(task);
        }

        return tasks;
    }

    public Task<DateTime?> NextDueAsync(IReadOnlyList<QueueLevel> targets, DateTime now) =>
        UseAsync(
            () => ToTime(targets
                .SelectMany(t => Priorities.SelectMany(p => Query(NextDueSql, r => (long?)r.GetInt64(0), t.Queue, t.Level, p, Micros.FromTime(now))))
                .Min()),
            write: false);

    private static readonly int[] Priorities = [4, 3, 2, 1];

    /// <summary>In the order of the claim, first target first or the oldest of all, as far as the limits allow.</summary>
    private List<Due> SelectDue(ClaimRequest request, Dictionary<string, OpenedGate> gates, long now)
    {
        var due = new List<Due>();
        foreach (var (target, priority) in request.Targets.SelectMany(t => Priorities.Select(p => (t, p))))
        {
            if (!request.Oldest && due.Count == request.Max)
                break;
            var max = gates.TryGetValue(target.Queue, out var gate) ? Math.Min(gate.Allowed, request.Max) : request.Max;
            var found = Query(DueSql, r => new Due(r.GetString(0), target.Queue, r.GetInt64(1)), target.Queue, target.Level, priority, now, max);
            due.AddRange(request.Oldest ? found : LetThrough(found, gates).Take(request.Max - due.Count));
        }

        return request.Oldest ? [.. LetThrough(due.OrderBy(d => d.DueAt).ThenBy(d => d.Id, StringComparer.Ordinal), gates).Take(request.Max)] : due;
    }

    private static IEnumerable<Due> LetThrough(IEnumerable<Due> due, Dictionary<string, OpenedGate> gates) =>
        due.Where(d => !gates.TryGetValue(d.Queue, out var gate) || gate.Taken++ < gate.Allowed);

    private readonly record struct Due(string Id, string Queue, long DueAt);
}
