using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Batches;

/// <summary>The tasks of a batch. The conditions repeat those of the partial index, which SQLite uses for the same words only.</summary>
internal static class BatchTasks
{
    /// <summary>Those that wait or run.</summary>
    public static IQueryable<TaskState> Live(TaskDbContext db, Guid batchId) =>
        db.Tasks.Where(t => t.BatchId == batchId
            && (t.State == TaskStates.Pending || t.State == TaskStates.Running || t.State == TaskStates.Retrying));

    /// <summary>Those that wait.</summary>
    public static IQueryable<TaskState> Waiting(TaskDbContext db, Guid batchId) =>
        Live(db, batchId).Where(t => t.State != TaskStates.Running);
}
