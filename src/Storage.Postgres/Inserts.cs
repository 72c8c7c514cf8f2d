using Npgsql;
using NpgsqlTypes;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

/// <summary>The statements that insert tasks that wait.</summary>
internal static class Inserts
{
    /// <summary>All or nothing: if an id exists the statement fails. Returns no ids.</summary>
    /// <param name="tasks">The tasks.</param>
    /// <param name="events">Their events.</param>
    /// <param name="partitionNumber">Where the events are appended; null if the transaction does that at its end.</param>
    public static NpgsqlBatchCommand Write(IReadOnlyList<TaskState> tasks, IReadOnlyList<TaskEvent> events, int? partitionNumber)
    {
        var parameters = new Parameters();
        List<TaskState> ordered = Sized(tasks); // by id, the order in which transactions wait for each other's
        List<string> parts =
        [
            $"""
            submitted as (
                insert into tasks ({TaskColumn.List(TaskColumn.Cold)})
                select * from unnest({parameters.Each(ColumnArrays.ArraysOf(TaskColumn.Cold, ordered))}) returning id),
            waiting as (
                insert into ready ({TaskColumn.List(TaskColumn.Ready)})
                select * from unnest({parameters.Each(ColumnArrays.ArraysOf(TaskColumn.Ready, ordered))})
                where (select count(*) from submitted) > 0)
            """, // parts of a statement run in no promised order, and only as far as they are read: an id that exists fails in tasks
        ];
        if (TaskTag.Of(ordered) is { Count: > 0 } tags)
            parts.Add($"tagged as ({InsertTags(parameters, tags)} where (select count(*) from submitted) > 0)");
        if (partitionNumber is { } number && events.Any(e => e.IsWritten))
        {
            var partition = parameters.Add(number);
            parts.Add(OutboxWrites.Lock(partition, "submitted"));
            parts.Add($"appended as (\n{OutboxWrites.Append(parameters, partition, events, only: null)})");
        }

        return parameters.Command($"with {string.Join(",\n", parts)}\nselect null::uuid where false");
    }

    /// <summary>Existing ids are left unchanged; returns the inserted ones.</summary>
    public static NpgsqlBatchCommand WriteNew(IReadOnlyList<TaskState> tasks)
    {
        var parameters = new Parameters();
        List<TaskState> ordered = Sized(tasks);
        var arrays = (parameters.Each(ColumnArrays.ArraysOf(TaskColumn.Cold, ordered)),
            parameters.Each(ColumnArrays.ArraysOf(TaskColumn.Ready, ordered)));
        var tagged = TaskTag.Of(ordered) is { Count: > 0 } tags
            ? $",\ntagged as ({InsertTags(parameters, tags)} where u.task_id in (select id from submitted))" : "";
        return parameters.Command(
            $"""
            with submitted as (
                insert into tasks ({TaskColumn.List(TaskColumn.Cold)})
                select * from unnest({arrays.Item1})
                on conflict do nothing returning id),
            waiting as (
                insert into ready ({TaskColumn.List(TaskColumn.Ready)})
                select u.* from unnest({arrays.Item2})
                    as u({TaskColumn.List(TaskColumn.Ready)})
                where u.id in (select id from submitted)){tagged}
            select id from submitted
            """);
    }

    /// <summary>
    /// Takes dedupe keys, except those that are held, and those of ids that exist; returns the ids whose key was taken. The order is that
    /// of the list, because each database sorts texts in its own way.
    /// </summary>
    public static NpgsqlBatchCommand TakeKeys(IReadOnlyList<TaskState> keyed)
    {
        var parameters = new Parameters();
        return parameters.Command(
            $"""
            insert into dedupe_keys (queue, dedupe_key, task_id)
            select k.queue, k.dedupe_key, k.id
            from unnest({parameters.Each(NpgsqlDbType.Text, keyed, t => t.Queue)},
                {parameters.Each(NpgsqlDbType.Text, keyed, t => t.DedupeKey!)},
                {parameters.Each(NpgsqlDbType.Uuid, keyed, t => t.CorrelationId)}) with ordinality as k(queue, dedupe_key, id, n)
            where not exists (select 1 from tasks t where t.id = k.id)
            order by k.n
            on conflict do nothing returning task_id
            """);
    }

    private static string InsertTags(Parameters parameters, List<TaskTag> tags) =>
        $"""

            insert into task_tags (tag, task_id, owner, queue)
            select u.* from unnest({parameters.Each(NpgsqlDbType.Text, tags, t => t.Tag)},
                {parameters.Each(NpgsqlDbType.Uuid, tags, t => t.TaskId)}, {parameters.Each(NpgsqlDbType.Text, tags, t => t.Owner)},
                {parameters.Each(NpgsqlDbType.Text, tags, t => t.Queue)}) as u(tag, task_id, owner, queue)
        """;

    private static List<TaskState> Sized(IReadOnlyList<TaskState> tasks)
    {
        TaskSize.Measure(tasks);
        return [.. tasks.OrderBy(t => t.CorrelationId)];
    }
}
