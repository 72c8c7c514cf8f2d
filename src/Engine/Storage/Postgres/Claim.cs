using Npgsql;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    // One index range a target and priority, so that neither finished tasks nor tasks of the future are walked over.
    // Rows that another claim has locked are skipped; the update repeats the state test for rows that changed meanwhile.
    // The ids go to the update as an array: joined to the CTE, whose size the planner cannot know, it would read the table.
    private static readonly string ClaimSql =
        $"""
        with due as (
            select c.id, q.ord
            from unnest($1, $2) with ordinality as q(queue, level, ord)
            cross join (values (4), (3), (2), (1)) as p(priority)
            cross join lateral (
                select t.id, t.due_at from tasks t
                where t.queue = q.queue and t.level = q.level and t.priority = p.priority
                  and t.state in (3, 7) and not t.push and t.due_at <= $3
                  and (t.expires_at is null or t.expires_at > $3)
                order by t.due_at, t.id limit $4
                for update skip locked) as c
            order by case when $5 then 0 else q.ord end, case when $5 then 0 else -p.priority end, c.due_at, c.id
            limit $4),
        claimed as (
            update tasks t
            set state = {TaskStates.Running}, attempt = t.attempt + 1, attempts_left = t.attempts_left - 1, worker = $6,
                lease_ms = $7, lease_until = $3 + $7 * interval '1 millisecond', started_at = $3, dispatch_at = null
            where t.id = any(array(select id from due)) and t.state in (3, 7)
            returning {TaskColumn.List(TaskColumn.All, "t.")}),
        appended as (
            insert into task_events (stream, task_id, type, queue, level, attempt, worker, at, dispatch)
            select $8, id, {(int)TaskEventType.Started}, queue, level, attempt, worker, started_at, false from claimed)
        select {TaskColumn.List(TaskColumn.All, "c.")} from claimed c join due on due.id = c.id
        order by case when $5 then 0 else due.ord end, case when $5 then 0 else -c.priority end, c.due_at, c.id
        """;

    private const string NextDueSql =
        """
        select min(c.due_at)
        from unnest($1, $2) as q(queue, level)
        cross join (values (4), (3), (2), (1)) as p(priority)
        cross join lateral (
            select t.due_at from tasks t
            where t.queue = q.queue and t.level = q.level and t.priority = p.priority
              and t.state in (3, 7) and not t.push and t.due_at > $3
            order by t.due_at limit 1) as c
        """;

    public async Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, DateTime now)
    {
        var stream = PickStream();
        await using var connection = await source.OpenConnectionAsync();
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(LockStream(stream));
        batch.BatchCommands.Add(Command(ClaimSql,
            Value(Queues(request.Targets)), Value(Levels(request.Targets)), Value(now), Value(request.Max), Value(request.Oldest),
            Value(request.Worker), Value(request.LeaseMs), Value(stream)));
        var tasks = new List<TaskState>();
        await using (var reader = await batch.ExecuteReaderAsync())
        {
            await reader.NextResultAsync();
            while (await reader.ReadAsync())
                tasks.Add(TaskColumn.ReadRow(TaskColumn.All, reader));
        }

        return tasks;
    }

    public Task<DateTime?> NextDueAsync(IReadOnlyList<QueueLevel> targets, DateTime now) =>
        ReadTimeAsync(NextDueSql, Value(Queues(targets)), Value(Levels(targets)), Value(now));

    private static string[] Queues(IReadOnlyList<QueueLevel> targets) => [.. targets.Select(t => t.Queue)];

    private static int[] Levels(IReadOnlyList<QueueLevel> targets) => [.. targets.Select(t => t.Level)];
}
