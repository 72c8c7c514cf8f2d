using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Quarantine;

/// <summary>What operators do with items that are set aside.</summary>
public sealed class QuarantineDesk(IDbContextFactory<TaskDbContext> databases, IEnumerable<IQuarantineKind> kinds)
{
    private readonly Dictionary<string, IQuarantineKind> _kinds = kinds.SelectMany(k => k.Kinds.Select(kind => (kind, k))).ToDictionary(k => k.kind, k => k.k, StringComparer.Ordinal);

    /// <summary>A page of the items that the caller may see, the oldest number first.</summary>
    /// <param name="access">Who asks.</param>
    /// <param name="kind">Only this kind, or null.</param>
    /// <param name="queue">Only of this queue, or null.</param>
    /// <param name="after">Behind the item of this number.</param>
    /// <param name="max">At most so many.</param>
    /// <param name="cancellationToken">Stops the read.</param>
    public async Task<List<QuarantinedItem>> ListAsync(Access access, string? kind, string? queue, long after, int max, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var items = Visible(db, access).Where(q => q.Id > after);
        if (kind is not null)
            items = items.Where(q => q.Kind == kind);
        if (queue is not null)
            items = items.Where(q => q.Queue == queue);
        return await items.OrderBy(q => q.Id).Take(max).ToListAsync(cancellationToken);
    }

    /// <summary>Puts an item back the way of its kind.</summary>
    /// <returns>The item, null where the caller sees none of this number; and why it stays, null where it was put back.</returns>
    public Task<(QuarantinedItem? Item, string? Refusal)> ReleaseAsync(long id, Access access, CancellationToken cancellationToken) =>
        EndAsync(id, access, (kind, item) => kind is null
            ? Task.FromResult<string?>($"nothing here can put a {item.Kind} back: mend what its reason says, send it again, and drop the item")
            : kind.ReleaseAsync(item, cancellationToken), cancellationToken);

    /// <summary>Gives an item up the way of its kind.</summary>
    /// <returns>As for <see cref="ReleaseAsync"/>.</returns>
    public Task<(QuarantinedItem? Item, string? Refusal)> DropAsync(long id, Access access, CancellationToken cancellationToken) =>
        EndAsync(id, access, (kind, item) => kind?.DropAsync(item, cancellationToken) ?? Task.FromResult<string?>(null), cancellationToken);

    private async Task<(QuarantinedItem? Item, string? Refusal)> EndAsync(
        long id, Access access, Func<IQuarantineKind?, QuarantinedItem, Task<string?>> end, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        if (await Visible(db, access).SingleOrDefaultAsync(q => q.Id == id, cancellationToken) is not { } item)
            return (null, null);
        if (await end(_kinds.GetValueOrDefault(item.Kind), item) is { } refusal)
            return (item, refusal);
        // One that was set aside again meanwhile stays.
        await db.Quarantine.Where(q => q.Id == id && q.Count == item.Count).ExecuteDeleteAsync(cancellationToken);
        return (item, null);
    }

    private static IQueryable<QuarantinedItem> Visible(TaskDbContext db, Access access) => access.Filter(db.Quarantine.AsNoTracking());
}
