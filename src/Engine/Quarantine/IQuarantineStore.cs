using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Quarantine;

/// <summary>The items that are set aside: table <c>quarantine</c>.</summary>
public interface IQuarantineStore
{
    /// <summary>
    /// Lists an item. One of the same kind and subject that is listed already gets the new reason and time, and its count grows. Retries
    /// when another process lists the same subject at the same moment.
    /// </summary>
    Task AddAsync(QuarantinedItem item, CancellationToken cancellationToken);

    /// <summary>A page of the items that the caller may read, in the order of their numbers.</summary>
    /// <param name="access">Who asks.</param>
    /// <param name="kind">Only this kind; null is all.</param>
    /// <param name="queue">Only of this queue; null is all.</param>
    /// <param name="after">The last number of the page before; 0 reads the first page.</param>
    /// <param name="max">Maximum number of items.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    Task<List<QuarantinedItem>> ListAsync(
        Access access, string? kind, string? queue, long after, int max, CancellationToken cancellationToken);

    /// <summary>An item by its number; null where there is none that the caller may read.</summary>
    Task<QuarantinedItem?> FindAsync(long id, Access access, CancellationToken cancellationToken);

    /// <summary>Removes an item, unless it was set aside again since it was read.</summary>
    Task RemoveAsync(QuarantinedItem item, CancellationToken cancellationToken);

    /// <summary>Number of items of each kind that has any.</summary>
    Task<Dictionary<string, long>> CountAsync();

    /// <summary>Removes refused messages that are older than a time, the oldest first.</summary>
    /// <returns>Number of items removed.</returns>
    Task<int> RemoveMessagesAsync(DateTime before, int limit, CancellationToken cancellationToken);

    /// <summary>Removes the oldest refused messages of an owner.</summary>
    /// <returns>Number of items removed.</returns>
    Task<int> RemoveMessagesAsync(string? owner, int limit, CancellationToken cancellationToken);

    /// <summary>An owner with more than <paramref name="most"/> refused messages, and the excess; null where there is none.</summary>
    Task<(string? Owner, int Excess)?> FindCrowdAsync(int most, CancellationToken cancellationToken);
}
