namespace TaskQueue.Engine.Auth;

/// <summary>Keys issued over the API, which decides who may issue which. Every method may throw the database's exceptions.</summary>
public interface IIssuedKeyStore
{
    /// <summary>Lists keys, oldest first.</summary>
    /// <param name="tenant">The tenant whose keys to list; null lists all.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    Task<List<ApiKeyRecord>> ListAsync(string? tenant, CancellationToken cancellationToken);

    /// <summary>Finds a key by its id, or returns null.</summary>
    Task<ApiKeyRecord?> FindAsync(Guid id, CancellationToken cancellationToken);

    /// <summary>Finds a key by the hash of its current text, or returns null.</summary>
    Task<ApiKeyRecord?> FindAsync(string hash, CancellationToken cancellationToken);

    /// <summary>Stores a new key.</summary>
    Task AddAsync(ApiKeyRecord key);

    /// <summary>Revokes a key by deleting its row.</summary>
    /// <returns>False if the key does not exist.</returns>
    Task<bool> RemoveAsync(Guid id);

    /// <summary>Replaces the hash of a key.</summary>
    /// <param name="key">The key as it was read.</param>
    /// <param name="hash">Hash of the new text.</param>
    /// <param name="previousUntil">When the current text expires, UTC; null is immediately.</param>
    /// <returns>False if the key was rotated or revoked after it was read.</returns>
    Task<bool> RotateAsync(ApiKeyRecord key, string hash, DateTime? previousUntil);

    /// <summary>Records the minute in which keys were last used, UTC, unless a later one is stored.</summary>
    Task WriteLastUseAsync(IReadOnlyList<Guid> ids, DateTime minute, CancellationToken cancellationToken);
}
