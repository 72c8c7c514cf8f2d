using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Quotas;

namespace TaskQueue.Storage.Quotas;

/// <summary>Counts what tenants store, in EF Core.</summary>
internal sealed class QuotaStore(IDbContextFactory<TaskDbContext> databases) : IQuotaStore
{
    public async Task<IReadOnlyList<KeyQuota>> ReadKeysAsync(DateTime now, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.ApiKeys.AsNoTracking()
            .Where(k => k.QuotaText != null && k.RevokedAt == null && (k.ExpiresAt == null || k.ExpiresAt > now))
            .Select(k => new KeyQuota(k.Id, k.Tenant, k.QuotaText!)).ToListAsync(cancellationToken);
    }

    public async Task<int> CountWaitingTasksAsync(string tenant, int max)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await TenantCounts.Waiting(db, tenant, max).CountAsync();
    }

    public async Task<long> CountQueuesAsync(string tenant, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await TenantCounts.QueuesAsync(db, tenant, cancellationToken);
    }

    public async Task<long> CountSchedulesAsync(string tenant, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await TenantCounts.SchedulesAsync(db, tenant, cancellationToken);
    }

    public async Task<long> SumFileBytesAsync(string tenant)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.Files.Where(f => f.Owner == tenant).SumAsync(f => f.Bytes);
    }

    public async Task ReserveFileBytesAsync(string fileId, long bytes)
    {
        await using var db = await databases.CreateDbContextAsync();
        await db.Files.Where(f => f.Id == fileId && !f.Ready).ExecuteUpdateAsync(f => f.SetProperty(x => x.Bytes, bytes));
    }
}
