using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Batches;

/// <summary>The tasks of a batch. The conditions repeat those of the partial indexes.</summary>
public static class BatchTasks
{
    /// <summary>Those that wait or run.</summary>
    public static IQueryable<TaskState> Live(TaskDbContext db, Guid batchId)
    {
        ArgumentNullException.ThrowIfNull(db);
        return db.Tasks.Where(t => t.BatchId == batchId && (t.State == TaskStates.Pending || t.State == TaskStates.Running || t.State == TaskStates.Retrying));
    }
}
