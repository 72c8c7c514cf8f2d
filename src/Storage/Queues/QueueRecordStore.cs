using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Queues;
using TaskQueue.Storage.Tasks;
using TaskQueue.Storage.Quotas;

namespace TaskQueue.Storage.Queues;

/// <summary>Table <c>queues</c>.</summary>
internal sealed class QueueRecordStore(IDbContextFactory<TaskDbContext> databases) : IQueueRecordStore
{
    public async Task<bool> ExistsAsync(string name)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.Queues.AnyAsync(q => q.Name == name);
    }

    public async Task<QueueListVersion?> ReadVersionAsync()
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.Queues.GroupBy(_ => 1).Select(g => new QueueListVersion(g.Count(), g.Max(q => q.Id), g.Sum(q => (long)q.Version)))
            .SingleOrDefaultAsync();
    }

    public async Task<IReadOnlyDictionary<string, QueueRecord>> ReadAllAsync()
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.Queues.AsNoTracking().ToDictionaryAsync(q => q.Name);
    }

    public async Task<QueueInsertResult> TryAddAsync(QueueRecord queue, QueueQuota? quota, long? ownerLimit)
    {
        await using var db = await databases.CreateDbContextAsync();
        await using var transaction = await db.Database.BeginTransactionAsync();
        await db.LockQueueAsync(BuiltInQueues.Tasks); // serializes the creation of queues, so the count stays valid
        if (await db.Queues.AnyAsync(q => q.Name == queue.Name))
            return new(QueueInsertStatus.NameTaken);
        if (queue.Owner is { } tenant
            && (await TaskLists.Claimable(db.Ready).AnyAsync(t => t.Queue == queue.Name && t.Owner != tenant)
                || await TaskLists.Blocked(db.Ready).AnyAsync(t => t.Queue == queue.Name && t.Owner != tenant)
                || await db.Running.AnyAsync(t => t.Queue == queue.Name && t.Owner != tenant)
                || await db.EndedTasks.AnyAsync(t => t.Queue == queue.Name && t.Dead && t.Owner != tenant)))
            return new(QueueInsertStatus.HoldsForeignTasks);
        if (quota is not null && (await db.Queues.AsNoTracking().ToListAsync()).Count(quota.Counts) >= quota.Max)
            return new(QueueInsertStatus.QuotaReached);
        if (queue.Owner is { } owner && ownerLimit is { } limit && await TenantCounts.QueuesAsync(db, owner) is var used && used >= limit)
            return new(QueueInsertStatus.OwnerLimitReached, used);
        db.Queues.Add(queue);
        await db.SaveChangesAsync();
        await transaction.CommitAsync();
        return new(QueueInsertStatus.Added);
    }

    public async Task<QueueRecord?> UpdateAsync(string name, Func<QueueRecord, Task<bool>> edit)
    {
        while (true)
        {
            await using var db = await databases.CreateDbContextAsync();
            if (await db.Queues.SingleOrDefaultAsync(q => q.Name == name) is not { } queue)
                return null;
            if (!await edit(queue))
                return queue;
            try
            {
                await db.SaveChangesAsync();
                return queue;
            }
            catch (DbUpdateConcurrencyException)
            {
                // Changed or deleted concurrently: retry.
            }
        }
    }

    public async Task<bool> DeleteAsync(string name)
    {
        await using var db = await databases.CreateDbContextAsync();
        await using var transaction = await db.Database.BeginTransactionAsync();
        var removed = await db.Queues.Where(q => q.Name == name)
            .ExecuteDeleteAsync(); // first, because creating a schedule locks the queue
        await db.Schedules.Where(s => s.Queue == name).ExecuteDeleteAsync();
        await transaction.CommitAsync();
        return removed > 0;
    }
}
