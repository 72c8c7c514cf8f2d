using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

/// <summary>Writes what a command changes of a task beside its state: its payload, or its queue.</summary>
internal sealed partial class SqliteTaskStore
{
    private const string PayloadsSql = "select id, payload from tasks where id in (select value from json_each(@ids))";

    private const string ChangePayloadSql = "update tasks set payload = @payload where id = @id";

    private const string ChangeOctetsSql =
        """
        update ready set octets = (
            select octet_length(t.payload) + coalesce(octet_length(t.headers), 0) from tasks t where t.id = @id)
        where id = @id
        """;

    private const string ChangeQueueSql = "update tasks set queue = @queue, push = @push where id = @id";

    private const string ChangeReadySql = "update ready set queue = @queue, push = @push where id = @id";

    private const string TagsSql = "select tags from tasks where id = @id and tags is not null";

    private const string ChangeTagSql = "update task_tags set queue = @queue where tag = @tag and task_id = @id";

    private const string ChangeKeySql =
        """
        update dedupe_keys set queue = @queue
        where queue = @former and dedupe_key = @dedupe_key and task_id = @id
          and not exists (select 1 from dedupe_keys d where d.queue = @queue and d.dedupe_key = @dedupe_key)
        """;

    /// <exception cref="DedupeKeyTakenException">Another task holds the key of one that moves in the queue to which it moves.</exception>
    private void WriteChanges(IReadOnlyList<TaskState> tasks)
    {
        if (!tasks.Any(TaskChanges.IsChanged))
            return;
        foreach (var task in TaskChanges.Edited(tasks))
        {
            Execute(ChangePayloadSql, ("@id", task.CorrelationId), ("@payload", task.Payload));
            Execute(ChangeOctetsSql, ("@id", task.CorrelationId));
        }

        var moved = TaskChanges.Moved(tasks);
        foreach (var task in moved)
        {
            Execute(ChangeQueueSql, ("@id", task.CorrelationId), ("@queue", task.Queue), ("@push", task.Push));
            Execute(ChangeReadySql, ("@id", task.CorrelationId), ("@queue", task.Queue), ("@push", task.Push));
            foreach (var tag in Query(TagsSql, r => r.GetString(0), ("@id", task.CorrelationId)).SelectMany(TaskTags.Split))
                Execute(ChangeTagSql, ("@id", task.CorrelationId), ("@queue", task.Queue), ("@tag", tag));
        }

        foreach (var task in TaskChanges.MovedKeys(moved))
        {
            if (Execute(ChangeKeySql, ("@id", task.CorrelationId), ("@queue", task.Queue), ("@former", task.StoredQueue),
                ("@dedupe_key", task.DedupeKey!)) == 0)
                throw new DedupeKeyTakenException(new InvalidOperationException("Another task of the queue holds the dedupe key."));
        }
    }
}
