using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine;
using TaskQueue.Engine.Audit;

namespace TaskQueue.Storage.Audit;

/// <summary>Table <c>audit</c> in EF Core.</summary>
internal sealed class AuditStore(IDbContextFactory<TaskDbContext> databases) : IAuditStore
{
    public Task AddAsync(AuditRecord record) => InsertAsync([record]);

    public async Task<IReadOnlyList<RefusedAuditRecord>> AddEachAsync(IReadOnlyList<AuditRecord> records)
    {
        try
        {
            if (records.Count > 1)
            {
                await InsertAsync(records);
                return [];
            }
        }
        catch (Exception fault) when (StorageFaults.IsOfRow(fault))
        {
            // At least one record is rejected; writing each alone shows which.
        }

        List<RefusedAuditRecord> refused = [];
        foreach (var record in records)
        {
            record.Id = 0; // set by the failed insert
            try
            {
                await InsertAsync([record]);
            }
            catch (Exception fault) when (StorageFaults.IsOfRow(fault))
            {
                record.Id = 0;
                refused.Add(new RefusedAuditRecord(record, fault));
            }
        }

        return refused;
    }

    public async Task ReplaceAfterAsync(long id, string? after)
    {
        await using var db = await databases.CreateDbContextAsync();
        await db.Audit.Where(r => r.Id == id).ExecuteUpdateAsync(r => r.SetProperty(x => x.After, after));
    }

    public async Task<List<AuditRecord>> ListAsync(AuditFilter filter, long? after, int limit, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = db.Audit.AsNoTracking();
        if (filter.Actor is { } actor)
            rows = rows.Where(r => r.Actor == actor);
        if (filter.Tenant is { } tenant)
            rows = rows.Where(r => r.Tenant == tenant);
        if (filter.Action is { } action)
            rows = rows.Where(r => r.Action.StartsWith(action));
        if (filter.Target is { } target)
            rows = rows.Where(r => r.Target == target);
        if (filter.Result is { } result)
            rows = rows.Where(r => r.Result.StartsWith(result));
        if (filter.Address is { } address)
            rows = rows.Where(r => r.Address == address);
        if (filter.From is { } from)
            rows = rows.Where(r => r.At >= from);
        if (filter.To is { } to)
            rows = rows.Where(r => r.At < to);
        if (after is { } id)
            rows = rows.Where(r => r.Id < id);
        return await rows.OrderByDescending(r => r.Id).Take(limit).ToListAsync(cancellationToken);
    }

    public async Task<int> RemoveAsync(DateTime before, int limit)
    {
        await using var db = await databases.CreateDbContextAsync();
        var ids = await db.Audit.Where(r => r.At < before).OrderBy(r => r.At).Select(r => r.Id).Take(limit).ToListAsync();
        return ids.Count == 0 ? 0 : await db.Audit.Where(r => ids.Contains(r.Id)).ExecuteDeleteAsync();
    }

    private async Task InsertAsync(IReadOnlyList<AuditRecord> records)
    {
        await using var db = await databases.CreateDbContextAsync();
        db.Audit.AddRange(records);
        await db.SaveChangesAsync();
    }
}
