using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Batches;

/// <summary>
/// Queries over the tasks of a batch. The conditions repeat those of the partial index literally, which SQLite requires to use it.
/// </summary>
internal static class BatchTasks
{
    /// <summary>Waiting and running tasks.</summary>
    public static IQueryable<TaskState> Live(TaskDbContext db, Guid batchId) =>
        db.Tasks.Where(t => t.BatchId == batchId
            && (t.State == TaskStates.Pending || t.State == TaskStates.Running || t.State == TaskStates.Retrying));

    /// <summary>Waiting tasks.</summary>
    public static IQueryable<TaskState> Waiting(TaskDbContext db, Guid batchId) =>
        Live(db, batchId).Where(t => t.State != TaskStates.Running);
}
