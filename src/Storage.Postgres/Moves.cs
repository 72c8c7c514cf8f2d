using Npgsql;
using NpgsqlTypes;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

/// <summary>
/// The statement that writes transitions. It locks the rows as they were read, skipping those that another transaction holds or has
/// changed; whatever belongs to a task is written only if its row was locked. So a group waits for nobody, and holds nothing while this
/// process thinks.
/// </summary>
internal static class Moves
{
    /// <summary>Writes a move; returns the ids that were written.</summary>
    /// <param name="move">The tasks.</param>
    /// <param name="partitionNumber">Where their events are appended; null if the transaction does that at its end.</param>
    public static NpgsqlBatchCommand Write(TaskMove move, int? partitionNumber)
    {
        var parameters = new Parameters();
        var (from, to) = (TaskMove.NameOf(move.From), TaskMove.NameOf(move.To));
        TaskColumn[] columns = move.From == move.To ? TaskColumn.Changing(move.To)
            : [.. TaskColumn.Of(move.To).Where(c => c.Name != "id")];
        var names = TaskColumn.List(columns);
        var input =
            $"""
            input as materialized (
                select * from unnest({parameters.Each(NpgsqlDbType.Uuid, move.Tasks, t => t.CorrelationId)},
                    {parameters.Each(NpgsqlDbType.Xid, move.Tasks, t => t.Row!.Version)},
                    {parameters.Each(ColumnArrays.ArraysOf(columns, move.Tasks))}) as u(id, version, {names})),
            found as materialized (
                select r.place, u.* from input u cross join lateral (
                    select r.ctid as place from {from} r where r.id = u.id and r.xmin = u.version for update skip locked) as r)
            """;
        List<string> parts = [input];
        if (move.From == move.To)
        {
            parts.Add($"moved as (update {to} r set {string.Join(", ", columns.Select(c => $"{c.Name} = f.{c.Name}"))} "
                + "from found f where r.ctid = f.place)");
        }
        else
        {
            parts.Add($"gone as (delete from {from} where ctid = any(array(select place from found)))");
            parts.Add($"moved as (insert into {to} (id, {names}) select id, {names} from found)");
        }

        AddKeys(parts, parameters, move);
        AddHistory(parts, parameters, move.Tasks);
        AddCallbacks(parts, parameters, move.Tasks);
        if (partitionNumber is { } partition)
            AddEvents(parts, parameters, move.Tasks, partition);
        return parameters.Command($"with {string.Join(",\n", parts)}\nselect id from found");
    }

    /// <summary>Whether tasks take dedupe keys, and so may have to wait for another transaction.</summary>
    public static bool TakesKeys(TaskMove move) => move.From == TaskTable.Outcomes && move.Tasks.Any(t => t.DedupeKey is not null);

    /// <summary>A dedupe key is held by a task that waits or runs.</summary>
    private static void AddKeys(List<string> parts, Parameters parameters, TaskMove move)
    {
        if ((move.From == TaskTable.Outcomes) == (move.To == TaskTable.Outcomes))
            return;
        List<TaskState> keyed = [.. move.Tasks.Where(t => t.DedupeKey is not null).OrderBy(t => t.Queue, StringComparer.Ordinal)
            .ThenBy(t => t.DedupeKey, StringComparer.Ordinal)];
        if (keyed.Count == 0)
            return;
        var ends = move.To == TaskTable.Outcomes;
        var keys = $"unnest({parameters.Each(NpgsqlDbType.Text, keyed, t => ends ? t.StoredQueue : t.Queue)}, "
            + $"{parameters.Each(NpgsqlDbType.Text, keyed, t => t.DedupeKey!)}, "
            + $"{parameters.Each(NpgsqlDbType.Uuid, keyed, t => t.CorrelationId)}) with ordinality as k(queue, dedupe_key, id, n)";
        parts.Add(ends
            ? $"freed as (delete from dedupe_keys where ctid = any(array(select d.place from {keys} cross join lateral ("
                + "select d.ctid as place from dedupe_keys d where d.queue = k.queue and d.dedupe_key = k.dedupe_key and d.task_id = k.id "
                + "offset 0) as d where k.id in (select id from found))))"
            : $"held as (insert into dedupe_keys (queue, dedupe_key, task_id) select k.queue, k.dedupe_key, k.id from {keys}"
                + " where k.id in (select id from found) order by k.n returning task_id as id)");
    }

    /// <summary>Writes rows of <c>attempts</c>.</summary>
    public static NpgsqlBatchCommand WriteHistory(List<AttemptRow> rows)
    {
        var parameters = new Parameters();
        return parameters.Command(History(parameters, rows, ""));
    }

    private static void AddHistory(List<string> parts, Parameters parameters, IReadOnlyList<TaskState> tasks)
    {
        var rows = AttemptRows.Of(tasks);
        if (rows.Count > 0)
            parts.Add($"history as (\n{History(parameters, rows, "where a.task_id in (select id from found) ")})");
    }

    private static string History(Parameters parameters, List<AttemptRow> rows, string only) =>
        $"""
        insert into attempts (task_id, attempt, type, started_at, ended_at, due_at, resumed_at, worker, error)
        select a.task_id, a.attempt, a.type, a.started_at, a.ended_at, a.due_at, a.resumed_at, a.worker, a.error
        from unnest({parameters.Each(NpgsqlDbType.Uuid, rows, a => a.TaskId)},
            {parameters.Each(NpgsqlDbType.Integer, rows, a => a.Attempt)}, {parameters.Each(NpgsqlDbType.Integer, rows, a => (int)a.End)},
            {parameters.Each(NpgsqlDbType.TimestampTz, rows, a => a.StartedAt)},
            {parameters.Each(NpgsqlDbType.TimestampTz, rows, a => a.EndedAt)},
            {parameters.Each(NpgsqlDbType.TimestampTz, rows, a => a.DueAt)},
            {parameters.Each(NpgsqlDbType.TimestampTz, rows, a => a.ResumedAt)},
            {parameters.Each(NpgsqlDbType.Text, rows, a => a.Worker)}, {parameters.Each(NpgsqlDbType.Text, rows, a => a.Error)})
            with ordinality as a(task_id, attempt, type, started_at, ended_at, due_at, resumed_at, worker, error, n)
        {only}order by a.n
        """;

    private static void AddCallbacks(List<string> parts, Parameters parameters, IReadOnlyList<TaskState> tasks)
    {
        var due = TaskChanges.DueCallbacks(tasks);
        if (due.Count == 0)
            return;
        parts.Add(
            $"""
            called as (
                insert into callbacks (subject_id, url, body, state, attempts, due_at, log, created_at, owner, origin)
                select c.subject_id, c.url, c.body, 0, 0, c.at, '[]', c.at, c.owner, c.origin
                from unnest({parameters.Each(NpgsqlDbType.Uuid, due, c => c.SubjectId)},
                    {parameters.Each(NpgsqlDbType.Text, due, c => c.Url)},
                    {parameters.Each(NpgsqlDbType.Text, due, c => c.Body)}, {parameters.Each(NpgsqlDbType.TimestampTz, due, c => c.At)},
                    {parameters.Each(NpgsqlDbType.Text, due, c => c.Owner)}, {parameters.Each(NpgsqlDbType.Text, due, c => c.Origin)})
                    as c(subject_id, url, body, at, owner, origin)
                where c.subject_id in (select id from found))
            """);
    }

    private static void AddEvents(List<string> parts, Parameters parameters, IReadOnlyList<TaskState> tasks, int partitionNumber)
    {
        List<TaskEvent> events = [.. tasks.SelectMany(t => t.Events)];
        List<TaskEvent> ends = [.. events.Where(e => TaskEvent.IsTerminal(e.Type))];
        var written = events.Exists(e => e.IsWritten);
        if (!written && ends.Count == 0)
            return;
        var partition = parameters.Add(partitionNumber);
        // Parts of a statement run in no promised order: the lock comes after whatever may wait.
        parts.Add(OutboxWrites.Lock(partition, parts.Exists(p => p.StartsWith("held as", StringComparison.Ordinal)) ? ["found", "held"]
            : ["found"]));
        if (written)
            parts.Add($"appended as (\n{OutboxWrites.Append(parameters, partition, events, only: "found")})");
        if (ends.Count > 0)
            parts.Add($"counted as (\n{OutboxWrites.Count(parameters, partition, ends, only: "found")})");
        List<TaskEvent> items = [.. ends.Where(e => e.Line is not null)];
        if (items.Count > 0)
            parts.Add($"counted_items as (\n{OutboxWrites.CountItems(parameters, partition, items, only: "found")})");
    }

    /// <summary>Appends the events of tasks that were written, as the last statement of a transaction; null if there are none.</summary>
    public static NpgsqlBatchCommand? WriteEvents(IReadOnlyList<TaskState> tasks, int partitionNumber)
    {
        var parameters = new Parameters();
        List<string> parts =
        [
            $"found as (select unnest({parameters.Each(NpgsqlDbType.Uuid, tasks, t => t.CorrelationId)}) as id)",
        ];
        AddEvents(parts, parameters, tasks, partitionNumber);
        return parts.Count == 1 ? null : parameters.Command($"with {string.Join(",\n", parts)}\nselect 1");
    }
}
