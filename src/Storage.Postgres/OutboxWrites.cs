using NpgsqlTypes;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

/// <summary>
/// The parts of a statement that append events to the outbox and count completions. They follow the partition's lock, which follows the
/// locks of the rows: so ids within a partition become visible in order.
/// </summary>
internal static class OutboxWrites
{
    /// <summary>Columns of the outbox, in the order of the inserts.</summary>
    private const string Columns =
        "partition_id, at, type, queue, tier, worker, dispatch, frees, ids, attempts, earlier, due_times, errors";

    /// <summary>The CTE named locked: the partition's lock, once CTEs have run, and any has rows.</summary>
    public static string Lock(string partition, params IEnumerable<string> after) =>
        $"locked as (select pg_advisory_xact_lock({PostgresTaskStore.LockSpace}, {partition}) "
            + $"where {string.Join(" + ", after.Select(part => $"(select count(*) from {part})"))} > 0)";

    /// <summary>An insert of packed events.</summary>
    /// <param name="parameters">Gets the values.</param>
    /// <param name="partition">The partition.</param>
    /// <param name="events">The events.</param>
    /// <param name="only">A CTE with the ids of the tasks whose events are appended; null is all.</param>
    public static string Append(Parameters parameters, string partition, IEnumerable<TaskEvent> events, string? only)
    {
        var rows = OutboxRows.Pack(events);
        var flat = rows.SelectMany((row, n) => row.Ids.Select((id, i) => (
            Row: n + 1, Id: id, Attempt: row.Attempts[i], Earlier: row.Earlier?[i], DueAt: row.DueTimes?[i],
            Error: row.Errors?[i]))).ToList();
        return $"""
            insert into outbox ({Columns})
            select {partition}, o.at, o.type, o.queue, o.tier, o.worker, o.dispatch, o.frees, e.ids, e.attempts, e.earlier,
                e.due_times, e.errors
            from locked, unnest({parameters.Each(NpgsqlDbType.TimestampTz, rows, r => r.At)},
                {parameters.Each(NpgsqlDbType.Integer, rows, r => (int)r.Type)},
                {parameters.Each(NpgsqlDbType.Text, rows, r => r.Queue)}, {parameters.Each(NpgsqlDbType.Integer, rows, r => r.Tier)},
                {parameters.Each(NpgsqlDbType.Text, rows, r => r.Worker)}, {parameters.Each(NpgsqlDbType.Boolean, rows, r => r.Dispatch)},
                {parameters.Each(NpgsqlDbType.Boolean, rows, r => r.ReleasesCapacity)})
                with ordinality as o(at, type, queue, tier, worker, dispatch, frees, n)
            join (
                select e.n, array_agg(e.id order by e.place) as ids, array_agg(e.attempt order by e.place) as attempts,
                    case when bool_or(e.earlier is not null) then array_agg(e.earlier order by e.place) end as earlier,
                    case when bool_or(e.due_at is not null) then array_agg(e.due_at order by e.place) end as due_times,
                    case when bool_or(e.error is not null) then array_agg(e.error order by e.place) end as errors
                from unnest({parameters.Each(NpgsqlDbType.Integer, flat, e => e.Row)},
                    {parameters.Each(NpgsqlDbType.Uuid, flat, e => e.Id)}, {parameters.Each(NpgsqlDbType.Integer, flat, e => e.Attempt)},
                    {parameters.Each(NpgsqlDbType.Integer, flat, e => e.Earlier)},
                    {parameters.Each(NpgsqlDbType.TimestampTz, flat, e => e.DueAt)},
                    {parameters.Each(NpgsqlDbType.Text, flat, e => e.Error)})
                    with ordinality as e(n, id, attempt, earlier, due_at, error, place)
                {(only is null ? "" : $"where e.id in (select id from {only})")}
                group by e.n) as e on e.n = o.n
            order by o.n
            """;
    }

    /// <summary>An insert of packed events in SQL: one row for each queue and tier of some tasks.</summary>
    /// <param name="partition">The partition.</param>
    /// <param name="type">Type of the events.</param>
    /// <param name="at">When they happened.</param>
    /// <param name="from">The rest of the select, with columns queue, tier, worker, id and attempt.</param>
    public static string AppendOf(string partition, TaskEventType type, string at, string from) =>
        $"""
        insert into outbox ({Columns})
        select {partition}, {at}, {(int)type}, queue, tier, worker, false, false, array_agg(id), array_agg(attempt), null, null, null
        from locked, {from} group by queue, tier, worker
        """;

    /// <summary>Counts completions by queue, tier, type and owner.</summary>
    public static string Count(Parameters parameters, string partition, IReadOnlyCollection<TaskEvent> ends, string only) =>
        $"""
        insert into queue_counts (queue, tier, partition_id, type, owner, count)
        select e.queue, e.tier, {partition}, e.type, e.owner, count(*)
        from locked, unnest({parameters.Each(NpgsqlDbType.Uuid, ends, e => e.TaskId)},
            {parameters.Each(NpgsqlDbType.Text, ends, e => e.Queue)}, {parameters.Each(NpgsqlDbType.Integer, ends, e => e.Tier)},
            {parameters.Each(NpgsqlDbType.Integer, ends, e => (int)e.Type)},
            {parameters.Each(NpgsqlDbType.Text, ends, e => e.Owner ?? "")}) as e(id, queue, tier, type, owner)
        where e.id in (select id from {only})
        group by e.queue, e.tier, e.type, e.owner order by e.queue, e.tier, e.type, e.owner
        on conflict (queue, tier, partition_id, type, owner) do update set count = queue_counts.count + excluded.count
        """;

    /// <summary>Counts items of batches by outcome.</summary>
    public static string CountItems(Parameters parameters, string partition, IReadOnlyCollection<TaskEvent> ends, string only) =>
        $"""
        insert into batch_counts (batch_id, partition_id, line_end, count)
        select e.batch_id, {partition}, e.line_end, count(*)
        from locked, unnest({parameters.Each(NpgsqlDbType.Uuid, ends, e => e.TaskId)},
            {parameters.Each(NpgsqlDbType.Uuid, ends, e => e.Line!.Value.Batch)},
            {parameters.Each(NpgsqlDbType.Integer, ends, e => (int)e.Line!.Value.End)}) as e(id, batch_id, line_end)
        where e.id in (select id from {only})
        group by e.batch_id, e.line_end order by e.batch_id, e.line_end
        on conflict (batch_id, partition_id, line_end) do update set count = batch_counts.count + excluded.count
        """;
}
