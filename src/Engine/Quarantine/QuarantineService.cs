using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Quarantine;

/// <summary>Lists, releases and drops the items that are set aside.</summary>
public sealed class QuarantineService(IQuarantineStore store, IEnumerable<IQuarantineKind> kinds)
{
    private readonly Dictionary<string, IQuarantineKind> _kinds = kinds.SelectMany(k => k.Kinds.Select(kind => (kind, k)))
        .ToDictionary(k => k.kind, k => k.k, StringComparer.Ordinal);

    /// <summary>A page of the items that the caller may see, the oldest number first.</summary>
    /// <param name="access">Who asks.</param>
    /// <param name="kind">Only this kind, or null.</param>
    /// <param name="queue">Only of this queue, or null.</param>
    /// <param name="after">Behind the item of this number.</param>
    /// <param name="max">At most so many.</param>
    /// <param name="cancellationToken">Stops the read.</param>
    public Task<List<QuarantinedItem>> ListAsync(Access access, string? kind, string? queue, long after, int max,
        CancellationToken cancellationToken) =>
        store.ListAsync(access, kind, queue, after, max, cancellationToken);

    /// <summary>Puts an item back the way of its kind.</summary>
    /// <returns>The item, null where the caller sees none of this number; and why it stays, null where it was put back.</returns>
    public Task<(QuarantinedItem? Item, string? Refusal)> ReleaseAsync(long id, Access access, CancellationToken cancellationToken) =>
        EndAsync(id, access, (kind, item) => kind is null
            ? Task.FromResult<string?>($"nothing here can put a {item.Kind} back: mend what its reason says, send it again, and drop the "
                + "item")
            : kind.ReleaseAsync(item, cancellationToken), cancellationToken);

    /// <summary>Gives an item up the way of its kind.</summary>
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
        await store.RemoveAsync(item, cancellationToken); // stays where it was set aside again meanwhile
        return (item, null);
    }
}
