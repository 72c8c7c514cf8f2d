using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Quarantine;

/// <summary>Lists, releases and drops quarantined items.</summary>
public sealed class QuarantineService(IQuarantineStore store, IEnumerable<IQuarantineKind> kinds)
{
    private readonly Dictionary<string, IQuarantineKind> _kinds = kinds.SelectMany(k => k.Kinds.Select(kind => (kind, k)))
        .ToDictionary(k => k.kind, k => k.k, StringComparer.Ordinal);

    /// <summary>Lists a page of the items that the caller may see, by number.</summary>
    /// <param name="access">The caller's access.</param>
    /// <param name="kind">Only items of this kind; null is all.</param>
    /// <param name="queue">Only items of this queue; null is all.</param>
    /// <param name="after">Only items after this number.</param>
    /// <param name="max">Maximum number of items.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    public Task<List<QuarantinedItem>> ListAsync(Access access, string? kind, string? queue, long after, int max,
        CancellationToken cancellationToken) =>
        store.ListAsync(access, kind, queue, after, max, cancellationToken);

    /// <summary>Releases an item in the way of its kind.</summary>
    /// <returns>The item, null if the caller sees none of this number; and why it stays listed, null on success.</returns>
    public Task<(QuarantinedItem? Item, string? Refusal)> ReleaseAsync(long id, Access access, CancellationToken cancellationToken) =>
        EndAsync(id, access, (kind, item) => kind is null
            ? Task.FromResult<string?>($"a {item.Kind} cannot be released: fix what its reason says, send it again, and drop the "
                + "item")
            : kind.ReleaseAsync(item, cancellationToken), cancellationToken);

    /// <summary>Drops an item in the way of its kind.</summary>
    /// <returns>As for <see cref="ReleaseAsync"/>.</returns>
    public Task<(QuarantinedItem? Item, string? Refusal)> DropAsync(long id, Access access, CancellationToken cancellationToken) =>
        EndAsync(id, access, (kind, item) => kind?.DropAsync(item, cancellationToken) ?? Task.FromResult<string?>(null), cancellationToken);

    private async Task<(QuarantinedItem? Item, string? Refusal)> EndAsync(
        long id, Access access, Func<IQuarantineKind?, QuarantinedItem, Task<string?>> end, CancellationToken cancellationToken)
    {
        if (await store.FindAsync(id, access, cancellationToken) is not { } item)
            return (null, null);
        if (await end(_kinds.GetValueOrDefault(item.Kind), item) is { } refusal)
            return (item, refusal);
        await store.RemoveAsync(item, cancellationToken); // stays if it was quarantined again in the meantime
        return (item, null);
    }
}
