using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

/// <summary>Writes transitions: the row of a task moves to another table, or is updated in its own.</summary>
internal sealed partial class SqliteTaskStore
{
    private static readonly Dictionary<TaskTable, RowStatement> EnterSql = RowStatement.Each(t => RowStatement.Insert(t));

    private static readonly Dictionary<TaskTable, RowStatement> LeaveSql = RowStatement.Each(RowStatement.Delete);

    private static readonly Dictionary<TaskTable, RowStatement> StaySql = RowStatement.Each(RowStatement.Update);

    private const string TakeKeySql =
        "insert into dedupe_keys (queue, dedupe_key, task_id) values (@queue, @dedupe_key, @id) on conflict do nothing";

    private const string ReleaseKeySql = "delete from dedupe_keys where queue = @queue and dedupe_key = @dedupe_key and task_id = @id";

    private const string HistorySql =
        """
        insert into attempts (task_id, attempt, type, started_at, ended_at, due_at, resumed_at, worker, error)
        values (@task_id, @attempt, @type, @started_at, @ended_at, @due_at, @resumed_at, @worker, @error)
        """;

    /// <exception cref="DedupeKeyTakenException">Another task holds the key of one that is to wait again.</exception>
    private void Write(TaskMove move)
    {
        foreach (var task in move.Tasks)
        {
            if (move.From == move.To)
            {
                Execute(StaySql[move.To], task);
                continue;
            }

            Execute(LeaveSql[move.From], task);
            Execute(EnterSql[move.To], task);
            if (task.DedupeKey is null)
                continue;
            // A dedupe key is held by a task that waits or runs.
            if (move.To == TaskTable.Outcomes)
                ReleaseKey(task.StoredQueue, task.DedupeKey, task.CorrelationId);
            else if (move.From == TaskTable.Outcomes && !TakeKey(task))
                throw new DedupeKeyTakenException(new InvalidOperationException("Another task of the queue holds the dedupe key."));
        }
    }

    /// <returns>Whether the key was free.</returns>
    private bool TakeKey(TaskState task) =>
        Execute(TakeKeySql, ("@queue", task.Queue), ("@dedupe_key", task.DedupeKey!), ("@id", task.CorrelationId)) == 1;

    private void ReleaseKey(string queue, string key, Guid id) =>
        Execute(ReleaseKeySql, ("@queue", queue), ("@dedupe_key", key), ("@id", id));

    private void WriteHistory(IEnumerable<TaskState> tasks)
    {
        foreach (var row in AttemptRows.Of(tasks))
        {
            Execute(HistorySql, ("@task_id", row.TaskId), ("@attempt", row.Attempt), ("@type", (int)row.End),
                ("@started_at", OrNull(row.StartedAt)), ("@ended_at", Micros.FromTime(row.EndedAt)), ("@due_at", OrNull(row.DueAt)),
                ("@resumed_at", OrNull(row.ResumedAt)), ("@worker", OrNull(row.Worker)), ("@error", OrNull(row.Error)));
        }
    }
}
