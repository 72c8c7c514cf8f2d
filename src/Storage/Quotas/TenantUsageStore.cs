using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Quotas;

namespace TaskQueue.Storage.Quotas;

/// <summary>Exchanges quota usage through table <c>tenant_usage</c>. A SQLite file serves a single process, which needs no rows.</summary>
internal sealed class TenantUsageStore(IDbContextFactory<TaskDbContext> databases, DatabaseAddress address) : ITenantUsageStore
{
    private const string Processes = "process", Streams = "streams", Requests = "requests";

    public bool IsShared => address.Provider != DatabaseProvider.Sqlite;

    public async Task<OtherProcesses> ExchangeAsync(ProcessUsage usage, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var count = await PublishProcessAsync(db, usage, cancellationToken);
        await PublishStreamsAsync(db, usage, cancellationToken);
        var others = await db.TenantUsage.Where(u => u.Resource == Streams && u.Process != usage.Process && u.UpdatedAt > usage.Since)
            .GroupBy(u => u.Tenant).Select(g => new { Tenant = g.Key, Open = g.Sum(u => u.Amount) }).ToListAsync(cancellationToken);
        return new OtherProcesses(count, others.ToDictionary(o => o.Tenant, o => o.Open, StringComparer.Ordinal));
    }

    public async Task<int> RemoveStaleAsync(DateTime before, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.TenantUsage.Where(u => u.Process != "" && u.UpdatedAt < before).ExecuteDeleteAsync(cancellationToken);
    }

    public async Task RemoveProcessAsync(string process, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await db.TenantUsage.Where(u => u.Process == process).ExecuteDeleteAsync(cancellationToken);
    }

    public async Task<SharedBucket?> FindBucketAsync(string tenant, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
#pragma warning disable RS0030 // translated to the database's now()
        var row = await Bucket(db, tenant).Select(u => new { u.Amount, DateTime.UtcNow }).SingleOrDefaultAsync(cancellationToken);
#pragma warning restore RS0030
        return row is null ? null : new SharedBucket(row.Amount, row.UtcNow);
    }

    public async Task AddBucketAsync(string tenant, DateTime now, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        db.TenantUsage.Add(new TenantUsage { Tenant = tenant, Resource = Requests, Process = "", UpdatedAt = now });
        try
        {
            await db.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException fault) when (fault.InnerException is DbException { IsTransient: false })
        {
            // Another process has added it.
        }
    }

    public async Task<bool> TryUpdateBucketAsync(string tenant, SharedBucket bucket, long spent, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await Bucket(db, tenant).Where(u => u.Amount == bucket.Spent)
            .ExecuteUpdateAsync(u => u.SetProperty(x => x.Amount, spent).SetProperty(x => x.UpdatedAt, bucket.Now), cancellationToken) == 1;
    }

    /// <returns>Number of other processes.</returns>
    private static async Task<int> PublishProcessAsync(TaskDbContext db, ProcessUsage usage, CancellationToken cancellationToken)
    {
        var mine = db.TenantUsage.Where(u => u.Tenant == "" && u.Resource == Processes && u.Process == usage.Process);
        if (await mine.ExecuteUpdateAsync(u => u.SetProperty(x => x.UpdatedAt, usage.At), cancellationToken) == 0)
            db.TenantUsage.Add(new TenantUsage { Resource = Processes, Process = usage.Process, Amount = 1, UpdatedAt = usage.At });
        return await db.TenantUsage.CountAsync(
            u => u.Tenant == "" && u.Resource == Processes && u.Process != usage.Process && u.UpdatedAt > usage.Since, cancellationToken);
    }

    private static async Task PublishStreamsAsync(TaskDbContext db, ProcessUsage usage, CancellationToken cancellationToken)
    {
        var rows = await db.TenantUsage.Where(u => u.Resource == Streams && u.Process == usage.Process)
            .ToDictionaryAsync(u => u.Tenant, StringComparer.Ordinal, cancellationToken);
        foreach (var (tenant, open) in usage.Streams)
        {
            if (!rows.Remove(tenant, out var row))
                db.TenantUsage.Add(row = new TenantUsage { Tenant = tenant, Resource = Streams, Process = usage.Process });
            (row.Amount, row.UpdatedAt) = (open, usage.At);
        }

        db.TenantUsage.RemoveRange(rows.Values);
        await db.SaveChangesAsync(cancellationToken);
    }

    private static IQueryable<TenantUsage> Bucket(TaskDbContext db, string tenant) =>
        db.TenantUsage.AsNoTracking().Where(u => u.Tenant == tenant && u.Resource == Requests && u.Process == "");
}
