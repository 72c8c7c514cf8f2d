using Microsoft.EntityFrameworkCore;

namespace TaskQueue.Storage.Queues;

internal static class QueueRowLock
{
    /// <summary>
    /// Locks the row of a queue until the transaction ends: on PostgreSQL by updating it; SQLite has a single writer anyway.
    /// </summary>
    /// <returns>Whether the queue exists.</returns>
    public static async Task<bool> LockQueueAsync(this TaskDbContext db, string name) =>
        await db.Queues.Where(q => q.Name == name).ExecuteUpdateAsync(q => q.SetProperty(r => r.UpdatedAt, r => r.UpdatedAt)) > 0;
}
