using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Queues;

/// <summary>How many queues a door may make.</summary>
/// <param name="Max">At most so many.</param>
/// <param name="Counts">Which queues count.</param>
public sealed record QueueQuota(int Max, Func<QueueRecord, bool> Counts);

/// <summary>There are as many as may be; nothing was made.</summary>
/// <param name="max">How many that is.</param>
public sealed class QuotaException(int max) : Exception($"there are {max} already")
{
    /// <summary>How many there may be.</summary>
    public int Max { get; } = max;
}

internal static class QueueLock
{
    /// <summary>Locks the row of a queue until the transaction ends: on PostgreSQL by writing it; SQLite has one writer anyway.</summary>
    /// <returns>Whether there is such a queue.</returns>
    public static async Task<bool> LockQueueAsync(this TaskDbContext db, string name) =>
        await db.Queues.Where(q => q.Name == name).ExecuteUpdateAsync(q => q.SetProperty(r => r.UpdatedAt, r => r.UpdatedAt)) > 0;
}
