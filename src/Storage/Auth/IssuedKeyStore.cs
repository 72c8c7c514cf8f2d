using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Storage.Auth;

/// <summary>Table <c>api_keys</c> in EF Core.</summary>
internal sealed class IssuedKeyStore(IDbContextFactory<TaskDbContext> databases) : IIssuedKeyStore
{
    public async Task<List<ApiKeyRecord>> ListAsync(string? tenant, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var keys = tenant is null ? db.ApiKeys : db.ApiKeys.Where(k => k.Tenant == tenant);
        return await keys.AsNoTracking().OrderBy(k => k.CreatedAt).ThenBy(k => k.Id).ToListAsync(cancellationToken);
    }

    public async Task<ApiKeyRecord?> FindAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.ApiKeys.AsNoTracking().SingleOrDefaultAsync(k => k.Id == id, cancellationToken);
    }

    public async Task<ApiKeyRecord?> FindAsync(string hash, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.ApiKeys.AsNoTracking().SingleOrDefaultAsync(k => k.Hash == hash, cancellationToken);
    }

    public async Task AddAsync(ApiKeyRecord key)
    {
        await using var db = await databases.CreateDbContextAsync();
        db.ApiKeys.Add(key);
        await db.SaveChangesAsync();
    }

    public async Task<bool> RemoveAsync(Guid id)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.ApiKeys.Where(k => k.Id == id).ExecuteDeleteAsync() > 0;
    }

    public async Task<bool> RotateAsync(ApiKeyRecord key, string hash, DateTime? previousUntil)
    {
        var previous = previousUntil is null ? null : key.Hash;
        await using var db = await databases.CreateDbContextAsync();
        return await db.ApiKeys.Where(k => k.Id == key.Id && k.Hash == key.Hash)
            .ExecuteUpdateAsync(k => k.SetProperty(x => x.Hash, hash)
                .SetProperty(x => x.PreviousHash, previous).SetProperty(x => x.PreviousUntil, previousUntil)) > 0;
    }

    public async Task WriteLastUseAsync(IReadOnlyList<Guid> ids, DateTime minute, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await db.ApiKeys.Where(k => ids.Contains(k.Id) && (k.LastUsedAt == null || k.LastUsedAt < minute))
            .ExecuteUpdateAsync(k => k.SetProperty(x => x.LastUsedAt, minute), cancellationToken);
    }
}
