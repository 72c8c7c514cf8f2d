using Microsoft.Data.Sqlite;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Storage.Sqlite;

internal sealed partial class SqliteTaskStore
{
    private const string DueSql =
        """
        select id, due_at from tasks
        where queue = @0 and level = @1 and priority = @2 and state in (3, 7) and not push and due_at <= @3
          and (expires_at is null or expires_at > @3)
        order by due_at, id limit @4
        """;

    private static readonly string ClaimRowSql =
        $"""
        update tasks
        set state = {TaskStates.Running}, attempt = attempt + 1, attempts_left = attempts_left - 1, worker = @1,
            lease_ms = @2, lease_until = @3 + @2 * 1000, started_at = @3, dispatch_at = null
        where id = @0
        returning {TaskColumn.List(TaskColumn.All)}
        """;

    private const string NextDueSql =
        """
        select due_at from tasks
        where queue = @0 and level = @1 and priority = @2 and state in (3, 7) and not push and due_at > @3
        order by due_at limit 1
        """;

    public Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, DateTime now) =>
        UseAsync<IReadOnlyList<TaskState>>(
            () =>
            {
                var tasks = new List<TaskState>();
                foreach (var id in SelectDue(request, Micros.FromTime(now)))
                {
                    var task = Query(ClaimRowSql, r => TaskColumn.ReadRow(TaskColumn.All, r), id, request.Worker, request.LeaseMs, Micros.FromTime(now))[0];
                    task.Record(TaskEventType.Started, now);
                    Append(task.Events[0]);
                    tasks.Add(task);
                }

                return tasks;
            },
            write: true);

    public Task<DateTime?> NextDueAsync(IReadOnlyList<QueueLevel> targets, DateTime now) =>
        UseAsync(
            () => ToTime(targets
                .SelectMany(t => Priorities.SelectMany(p => Query(NextDueSql, r => (long?)r.GetInt64(0), t.Queue, t.Level, p, Micros.FromTime(now))))
                .Min()),
            write: false);

    private static readonly int[] Priorities = [4, 3, 2, 1];

    /// <summary>Ids in the order of the claim: first target first, or the oldest of all.</summary>
    private IEnumerable<string> SelectDue(ClaimRequest request, long now)
    {
        var due = new List<(string Id, long DueAt)>();
        foreach (var (target, priority) in request.Targets.SelectMany(t => Priorities.Select(p => (t, p))))
        {
            if (!request.Oldest && due.Count >= request.Max)
                break;
            due.AddRange(Query(DueSql, ReadDue, target.Queue, target.Level, priority, now, request.Max));
        }

        return (request.Oldest ? due.OrderBy(d => d.DueAt).ThenBy(d => d.Id, StringComparer.Ordinal) : due.AsEnumerable())
            .Take(request.Max).Select(d => d.Id);
    }

    private static (string Id, long DueAt) ReadDue(SqliteDataReader r) => (r.GetString(0), r.GetInt64(1));
}
