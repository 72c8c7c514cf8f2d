using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Quarantine;

/// <summary>The quarantined items: table <c>quarantine</c>.</summary>
public interface IQuarantineStore
{
    /// <summary>
    /// Lists an item. An item already listed (same kind and subject) gets the new reason and time, and its count is incremented. Retries
    /// when another process lists the same subject concurrently.
    /// </summary>
    Task AddAsync(QuarantinedItem item, CancellationToken cancellationToken);

    /// <summary>Lists a page of the items that the caller may read, by number.</summary>
    /// <param name="access">The caller's access.</param>
    /// <param name="kind">Only items of this kind; null is all.</param>
    /// <param name="queue">Only items of this queue; null is all.</param>
    /// <param name="after">The last number of the previous page; 0 reads the first page.</param>
    /// <param name="max">Maximum number of items.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    Task<List<QuarantinedItem>> ListAsync(
        Access access, string? kind, string? queue, long after, int max, CancellationToken cancellationToken);

    /// <summary>Finds an item by its number; null if there is none that the caller may read.</summary>
    Task<QuarantinedItem?> FindAsync(long id, Access access, CancellationToken cancellationToken);

    /// <summary>Removes an item, unless it was quarantined again after it was read.</summary>
    Task RemoveAsync(QuarantinedItem item, CancellationToken cancellationToken);

    /// <summary>Number of items of each kind; kinds without items are omitted.</summary>
    Task<Dictionary<string, long>> CountAsync();

    /// <summary>Removes rejected messages older than the given time, oldest first.</summary>
    /// <returns>Number of items removed.</returns>
    Task<int> RemoveMessagesAsync(DateTime before, int limit, CancellationToken cancellationToken);

    /// <summary>Removes the oldest rejected messages of an owner.</summary>
    /// <returns>Number of items removed.</returns>
    Task<int> RemoveMessagesAsync(string? owner, int limit, CancellationToken cancellationToken);

    /// <summary>An owner with more than <paramref name="most"/> rejected messages, and the excess; null if there is none.</summary>
    Task<(string? Owner, int Excess)?> FindCrowdAsync(int most, CancellationToken cancellationToken);
}
