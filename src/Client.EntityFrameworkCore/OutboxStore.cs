using Microsoft.EntityFrameworkCore;

namespace TaskQueue.Client;

/// <summary>Rows that a relay has for itself.</summary>
/// <param name="Rows">In the order of their keys.</param>
/// <param name="MayHaveMore">Whether more rows may be due now.</param>
internal sealed record OutboxBatch(IReadOnlyList<OutboxTask> Rows, bool MayHaveMore);

/// <summary>
/// The statements on the outbox: set-based, each in a transaction of its own, and in the SQL of every relational provider. A lease is a
/// conditional update, so that of two relays that choose the same rows the second one gets none of them.
/// </summary>
/// <param name="owner">Name of the relay.</param>
/// <param name="options">Limits.</param>
/// <param name="time">The clock.</param>
internal sealed class OutboxStore(string owner, OutboxOptions options, TimeProvider time)
{
    private DateTime Now => time.GetUtcNow().UtcDateTime;

    /// <summary>Rows of the outbox, whatever query filters the application has.</summary>
    public static IQueryable<OutboxTask> Rows(DbContext db) => db.Set<OutboxTask>().IgnoreQueryFilters().AsNoTracking();

    /// <summary>Leases the first rows that are due.</summary>
    /// <param name="db">The database.</param>
    /// <param name="max">Most rows.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <param name="after">Only rows with higher keys.</param>
    /// <param name="newest">The last rows instead.</param>
    public async Task<OutboxBatch> ClaimAsync(
        DbContext db, int max, CancellationToken cancellationToken, long after = long.MinValue, bool newest = false)
    {
        var now = Now;
        var due = Rows(db).Where(r => r.SetAsideAt == null && (r.LockedUntil == null || r.LockedUntil <= now) && r.Sequence > after);
        var first = await (newest ? due.OrderByDescending(r => r.Sequence) : due.OrderBy(r => r.Sequence))
            .Take(max).Select(r => new { r.Sequence, r.Size }).ToListAsync(cancellationToken);
        var (chosen, bytes) = (new List<long>(), 0L);
        foreach (var row in first)
        {
            if (chosen.Count > 0 && bytes + row.Size > options.MaxBatchBytes)
                break;
            chosen.Add(row.Sequence);
            bytes += row.Size;
        }

        if (chosen.Count == 0)
            return new OutboxBatch([], MayHaveMore: false);
        await LeaseAsync(db, chosen, now, cancellationToken);
        // Whatever number of rows that changed: if its answer was lost and it was repeated, it found none to change.
        var rows = await Rows(db).Where(r => chosen.Contains(r.Sequence) && r.LockedBy == owner)
            .OrderBy(r => r.Sequence).ToListAsync(cancellationToken);
        return new OutboxBatch(rows, first.Count == max || chosen.Count < first.Count || rows.Count < chosen.Count);
    }

    /// <summary>Leases rows that nobody has.</summary>
    public Task LeaseAsync(DbContext db, List<long> sequences) => LeaseAsync(db, sequences, Now, CancellationToken.None);

    private async Task LeaseAsync(DbContext db, List<long> sequences, DateTime now, CancellationToken cancellationToken)
    {
        var until = now + options.Lease;
        await Rows(db)
            .Where(r => sequences.Contains(r.Sequence) && r.SetAsideAt == null && (r.LockedUntil == null || r.LockedUntil <= now))
            .ExecuteUpdateAsync(s => s.SetProperty(r => r.LockedUntil, until).SetProperty(r => r.LockedBy, owner), cancellationToken);
    }

    /// <summary>Deletes rows that are sent, whoever has their lease by now.</summary>
    public static Task DeleteAsync(DbContext db, List<long> sequences) =>
        Rows(db).Where(r => sequences.Contains(r.Sequence)).ExecuteDeleteAsync();

    /// <summary>Returns rows of this relay that it could not send now, for any relay.</summary>
    public Task ReleaseAsync(DbContext db, List<long> sequences, string? error) =>
        error is null
            ? Own(db, sequences).ExecuteUpdateAsync(s =>
                s.SetProperty(r => r.LockedUntil, (DateTime?)null).SetProperty(r => r.LockedBy, (string?)null))
            : Own(db, sequences).ExecuteUpdateAsync(s => s.SetProperty(r => r.LockedUntil, (DateTime?)null)
                .SetProperty(r => r.LockedBy, (string?)null).SetProperty(r => r.Error, error));

    /// <summary>Returns all rows of this relay, which does not know what became of its last statements.</summary>
    public Task ReleaseAllAsync(DbContext db) =>
        Rows(db).Where(r => r.SetAsideAt == null && r.LockedBy == owner).ExecuteUpdateAsync(s =>
            s.SetProperty(r => r.LockedUntil, (DateTime?)null).SetProperty(r => r.LockedBy, (string?)null));

    /// <summary>Does not try rows before a pause is over.</summary>
    public Task DeferAsync(DbContext db, List<long> sequences, string error, TimeSpan pause)
    {
        var until = Now + pause;
        return Own(db, sequences).ExecuteUpdateAsync(s => s.SetProperty(r => r.LockedUntil, until)
            .SetProperty(r => r.LockedBy, (string?)null).SetProperty(r => r.Attempts, r => r.Attempts + 1)
            .SetProperty(r => r.Error, error));
    }

    /// <summary>Sets rows aside.</summary>
    /// <returns>Number of rows; those that another relay has meanwhile are not among them.</returns>
    public Task<int> SetAsideAsync(DbContext db, List<long> sequences, string error)
    {
        var now = Now;
        return Own(db, sequences).ExecuteUpdateAsync(s => s.SetProperty(r => r.SetAsideAt, now)
            .SetProperty(r => r.LockedUntil, (DateTime?)null).SetProperty(r => r.LockedBy, (string?)null)
            .SetProperty(r => r.Attempts, r => r.Attempts + 1).SetProperty(r => r.Error, error));
    }

    private IQueryable<OutboxTask> Own(DbContext db, List<long> sequences) =>
        Rows(db).Where(r => sequences.Contains(r.Sequence) && r.LockedBy == owner);
}
