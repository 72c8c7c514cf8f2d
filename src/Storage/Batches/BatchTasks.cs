namespace TaskQueue.Storage.Batches;

/// <summary>Ids of the tasks of a batch that have not ended.</summary>
internal static class BatchTasks
{
    /// <summary>Waiting and running tasks.</summary>
    public static IQueryable<Guid> Live(TaskDbContext db, Guid batchId) =>
        Waiting(db, batchId).Concat(db.Running.Where(t => t.BatchId == batchId).Select(t => t.CorrelationId));

    /// <summary>Waiting tasks.</summary>
    public static IQueryable<Guid> Waiting(TaskDbContext db, Guid batchId) =>
        db.Ready.Where(t => t.BatchId == batchId).Select(t => t.CorrelationId);
}
