using Microsoft.Data.SqlClient;
using TaskQueue.Engine.Tasks;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

/// <summary>Writes what a command changes of a task beside its state: its payload, or its queue. Its row is locked.</summary>
internal sealed partial class SqlServerTaskStore
{
    private static readonly Statement PayloadsSql = new(
        $"select t.id, t.payload from {Rows.Table("@ids", "id binary(16)")} as u inner loop join tasks t {Sought} on t.id = u.id",
        Json("@ids"));

    private static readonly Statement ChangePayloadsSql = new(
        $"""
        {AllOrNothing}
        update t set payload = u.payload
        from {Rows.Table("@rows", "id binary(16)", "payload nvarchar(max)")} as u inner loop join tasks t {Sought} on t.id = u.id;
        update r set octets = cast((datalength(t.payload) + coalesce(datalength(t.headers), 0)) / 2 as int)
        from {Rows.Table("@rows", "id binary(16)")} as u inner loop join tasks t {Sought} on t.id = u.id
        inner loop join ready r {Sought} on r.id = u.id;
        """,
        Json("@rows"));

    private static readonly Statement ChangeQueuesSql = new(
        $"""
        {AllOrNothing}
        update r set queue = u.queue, push = u.push from {MovedTasks} as u inner loop join ready r {Sought} on r.id = u.id;
        update k set queue = u.queue
        from {MovedTasks} as u inner loop join tasks t {Sought} on t.id = u.id and t.tags is not null
        cross apply openjson(concat(N'["', replace(string_escape(t.tags, 'json'), N',', N'","'), N'"]'))
            with (tag nvarchar({TaskTags.MaxLength}) '$') as s
        inner loop join task_tags k {Sought} on k.tag = s.tag collate {SqlServerTaskDbContext.Collation} and k.task_id = u.id;
        update t set queue = u.queue, push = u.push from {MovedTasks} as u inner loop join tasks t {Sought} on t.id = u.id;
        """,
        Json("@rows"));

    private static readonly Statement ChangeKeysSql = new(
        $"""
        update d set queue = u.queue
        from {Rows.Table("@rows", "former nvarchar(128)", $"dedupe_key {SqlServerTaskDbContext.ExactType}", "id binary(16)",
            "queue nvarchar(128)")} as u
        inner loop join dedupe_keys d {Sought} on d.queue = u.former and d.dedupe_key = u.dedupe_key
        where d.task_id = u.id
        """,
        Json("@rows"));

    private static string MovedTasks => Rows.Table("@rows", "id binary(16)", "queue nvarchar(128)", "push bit");

    private static async Task ChangeAsync(SqlConnection connection, SqlTransaction transaction, IReadOnlyList<TaskState> tasks)
    {
        if (!tasks.Any(TaskChanges.IsChanged))
            return;
        if (TaskChanges.Edited(tasks) is { Count: > 0 } edited)
        {
            await ExecuteAsync(connection, transaction, ChangePayloadsSql,
                Rows.Json(edited.Select(t => (object?[])[t.CorrelationId, t.Payload])));
        }

        if (TaskChanges.Moved(tasks) is not { Count: > 0 } moved)
            return;
        await ExecuteAsync(connection, transaction, ChangeQueuesSql,
            Rows.Json(moved.Select(t => (object?[])[t.CorrelationId, t.Queue, t.Push])));
        if (TaskChanges.MovedKeys(moved) is { Count: > 0 } keyed)
        {
            await ExecuteAsync(connection, transaction, ChangeKeysSql,
                Rows.Json(keyed.Select(t => (object?[])[t.StoredQueue, t.DedupeKey, t.CorrelationId, t.Queue])));
        }
    }
}
