namespace TaskQueue.Engine.Auth;

/// <summary>
/// Keys that were issued over the API. Who may issue what is decided by the API. Every method may throw what the database throws.
/// </summary>
public interface IIssuedKeyStore
{
    /// <summary>The keys of a tenant, or all, oldest first.</summary>
    /// <param name="tenant">Null: all.</param>
    /// <param name="cancellationToken">Stops the query.</param>
    Task<List<ApiKeyRecord>> ListAsync(string? tenant, CancellationToken cancellationToken);

    /// <summary>A key by its id, or null.</summary>
    Task<ApiKeyRecord?> FindAsync(Guid id, CancellationToken cancellationToken);

    /// <summary>A key by the hash of its current text, or null.</summary>
    Task<ApiKeyRecord?> FindAsync(string hash, CancellationToken cancellationToken);

    /// <summary>Stores a new key.</summary>
    Task AddAsync(ApiKeyRecord key);

    /// <summary>Revokes a key by removing its row.</summary>
    /// <returns>False if there is no such key.</returns>
    Task<bool> RemoveAsync(Guid id);

    /// <summary>Replaces the hash of a key.</summary>
    /// <param name="key">As it was read.</param>
    /// <param name="hash">Hash of the new text.</param>
    /// <param name="previousUntil">When the current text stops working, UTC; null is at once.</param>
    /// <returns>False if the key was rotated or revoked since it was read.</returns>
    Task<bool> RotateAsync(ApiKeyRecord key, string hash, DateTime? previousUntil);

    /// <summary>Writes the minute in which keys were last used, UTC, unless a later one is stored.</summary>
    Task WriteLastUseAsync(IReadOnlyList<Guid> ids, DateTime minute, CancellationToken cancellationToken);
}
