using Npgsql;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

/// <summary>
/// Writes what a command changes of a task beside its state: its payload, or its queue. Rare, so these are statements of their own, after
/// the one that has locked the row.
/// </summary>
internal sealed partial class PostgresTaskStore
{
    private const string PayloadsSql =
        """
        select t.id, t.payload
        from unnest($1) as u(id) cross join lateral (select id, payload from tasks t where t.id = u.id offset 0) as t
        """;

    private const string ChangePayloadsSql =
        """
        with changed as (
            update tasks t set payload = f.payload from (
                select o.place, u.payload from unnest($1, $2) as u(id, payload) cross join lateral (
                    select o.ctid as place from tasks o where o.id = u.id offset 0) as o) as f
            where t.ctid = f.place
            returning t.id, octet_length(t.payload) + coalesce(octet_length(t.headers), 0) as octets)
        update ready r set octets = f.octets from (
            select o.place, c.octets from changed c cross join lateral (
                select o.ctid as place from ready o where o.id = c.id offset 0) as o) as f
        where r.ctid = f.place
        """;

    private const string ChangeQueuesSql =
        """
        with moved as (
            update tasks t set queue = f.queue, push = f.push from (
                select o.place, u.queue, u.push from unnest($1, $2, $3) as u(id, queue, push) cross join lateral (
                    select o.ctid as place from tasks o where o.id = u.id offset 0) as o) as f
            where t.ctid = f.place
            returning t.id, t.queue, t.push, t.tags),
        tagged as (
            update task_tags k set queue = f.queue from (
                select o.place, m.queue from moved m cross join lateral unnest(string_to_array(m.tags, ',')) as n(tag)
                cross join lateral (
                    select o.ctid as place from task_tags o where o.tag = n.tag and o.task_id = m.id offset 0) as o) as f
            where k.ctid = f.place)
        update ready r set queue = f.queue, push = f.push from (
            select o.place, m.queue, m.push from moved m cross join lateral (
                select o.ctid as place from ready o where o.id = m.id offset 0) as o) as f
        where r.ctid = f.place
        """;

    private const string ChangeKeysSql =
        """
        update dedupe_keys d set queue = f.queue from (
            select o.place, u.queue from unnest($1, $2, $3, $4) as u(former, dedupe_key, id, queue) cross join lateral (
                select o.ctid as place from dedupe_keys o
                where o.queue = u.former and o.dedupe_key = u.dedupe_key and o.task_id = u.id offset 0) as o) as f
        where d.ctid = f.place
        """;

    /// <summary>The statements for tasks of which some are changed.</summary>
    private static IEnumerable<NpgsqlBatchCommand> Changes(List<TaskState> tasks)
    {
        if (TaskChanges.Edited(tasks) is { Count: > 0 } edited)
        {
            yield return Command(ChangePayloadsSql, Value<Guid[]>([.. edited.Select(t => t.CorrelationId)]),
                Value(Parameters.Storable<string>([.. edited.Select(t => t.Payload)])));
        }

        if (TaskChanges.Moved(tasks) is not { Count: > 0 } moved)
            yield break;
        yield return Command(ChangeQueuesSql, Value<Guid[]>([.. moved.Select(t => t.CorrelationId)]),
            Value<string[]>([.. moved.Select(t => t.Queue)]), Value<bool[]>([.. moved.Select(t => t.Push)]));
        if (TaskChanges.MovedKeys(moved) is { Count: > 0 } keyed)
        {
            yield return Command(ChangeKeysSql, Value<string[]>([.. keyed.Select(t => t.StoredQueue)]),
                Value<string[]>([.. keyed.Select(t => t.DedupeKey!)]), Value<Guid[]>([.. keyed.Select(t => t.CorrelationId)]),
                Value<string[]>([.. keyed.Select(t => t.Queue)]));
        }
    }
}
