using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Auth;

/// <summary>Issued keys in the database. Who may issue what is decided by the API.</summary>
public sealed class ApiKeys(IDbContextFactory<TaskDbContext> databases)
{
    /// <summary>The keys of a tenant, or all, oldest first.</summary>
    /// <param name="tenant">Null: all.</param>
    /// <param name="cancellationToken">Stops the query.</param>
    public async Task<List<ApiKeyRecord>> ListAsync(string? tenant, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var keys = tenant is null ? db.ApiKeys : db.ApiKeys.Where(k => k.Tenant == tenant);
        return await keys.AsNoTracking().OrderBy(k => k.CreatedAt).ThenBy(k => k.Id).ToListAsync(cancellationToken);
    }

    /// <summary>A key by its id, or null.</summary>
    public async Task<ApiKeyRecord?> FindAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.ApiKeys.AsNoTracking().SingleOrDefaultAsync(k => k.Id == id, cancellationToken);
    }

    /// <summary>A key by the hash of its current text, or null.</summary>
    public async Task<ApiKeyRecord?> FindAsync(string hash, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.ApiKeys.AsNoTracking().SingleOrDefaultAsync(k => k.Hash == hash, cancellationToken);
    }

    /// <summary>Stores a new key.</summary>
    public async Task AddAsync(ApiKeyRecord key)
    {
        await using var db = await databases.CreateDbContextAsync();
        db.ApiKeys.Add(key);
        await db.SaveChangesAsync();
    }

    /// <summary>Revokes a key by removing its row.</summary>
    /// <returns>False if there is no such key.</returns>
    public async Task<bool> RemoveAsync(Guid id)
    {
        await using var db = await databases.CreateDbContextAsync();
        return await db.ApiKeys.Where(k => k.Id == id).ExecuteDeleteAsync() > 0;
    }

    /// <summary>Replaces the hash of a key.</summary>
    /// <param name="key">As it was read.</param>
    /// <param name="hash">Hash of the new text.</param>
    /// <param name="previousUntil">When the current text stops working; null is at once.</param>
    /// <returns>False if the key was rotated or revoked since it was read.</returns>
    public async Task<bool> RotateAsync(ApiKeyRecord key, string hash, DateTime? previousUntil)
    {
        ArgumentNullException.ThrowIfNull(key);
        var previous = previousUntil is null ? null : key.Hash;
        await using var db = await databases.CreateDbContextAsync();
        return await db.ApiKeys.Where(k => k.Id == key.Id && k.Hash == key.Hash)
            .ExecuteUpdateAsync(k => k.SetProperty(x => x.Hash, hash).SetProperty(x => x.PreviousHash, previous).SetProperty(x => x.PreviousUntil, previousUntil)) > 0;
    }

    /// <summary>Writes the minute in which keys were last used, unless a later one is stored.</summary>
    public async Task WriteLastUseAsync(IReadOnlyList<Guid> ids, DateTime minute, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await db.ApiKeys.Where(k => ids.Contains(k.Id) && (k.LastUsedAt == null || k.LastUsedAt < minute))
            .ExecuteUpdateAsync(k => k.SetProperty(x => x.LastUsedAt, minute), cancellationToken);
    }
}
