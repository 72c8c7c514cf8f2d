using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Batches;

/// <summary>How far a batch has come.</summary>
/// <param name="Total">Lines, once they were counted.</param>
/// <param name="Completed">Lines with a result.</param>
/// <param name="Failed">Lines with an error.</param>
public sealed record BatchProgress(int Total, int Completed, int Failed)
{
    /// <summary>The final counts of a batch that has ended.</summary>
    public static BatchProgress Of(BatchState batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return new(batch.Total, batch.Completed, batch.FailedLines);
    }

    /// <summary>The counts of a batch whose lines have ended so.</summary>
    internal static BatchProgress Of(BatchState batch, IReadOnlyDictionary<BatchItemOutcome, int> ends)
    {
        var (good, refused) = (ends.GetValueOrDefault(BatchItemOutcome.Succeeded), ends.GetValueOrDefault(BatchItemOutcome.Refused));
        var lost = batch.BadLines + ends.GetValueOrDefault(BatchItemOutcome.Lost);
        return batch.Strict ? new(batch.Total, good, refused + lost) : new(batch.Total, good + refused, lost);
    }
}

/// <summary>Reads of batches; nothing here changes anything.</summary>
public sealed class BatchQueries(IDbContextFactory<TaskDbContext> databases)
{
    /// <summary>One batch, or null where there is none that this caller may see.</summary>
    public async Task<BatchState?> FindAsync(Guid id, Access access, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return db.Open(await Visible(db, access).SingleOrDefaultAsync(b => b.CorrelationId == id, cancellationToken));
    }

    /// <summary>A page of the batches that a caller may see, newest first.</summary>
    /// <param name="access">Who asks.</param>
    /// <param name="after">Behind this one; null is from the newest.</param>
    /// <param name="max">At most so many.</param>
    /// <param name="cancellationToken">Stops the read.</param>
    public async Task<List<BatchState>> ListAsync(Access access, BatchState? after, int max, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var batches = Visible(db, access);
        if (after is not null)
            batches = batches.Where(b => b.CreatedAt < after.CreatedAt || (b.CreatedAt == after.CreatedAt && b.CorrelationId < after.CorrelationId));
        return db.Open(await batches.OrderByDescending(b => b.CreatedAt).ThenByDescending(b => b.CorrelationId).Take(max).ToListAsync(cancellationToken));
    }

    /// <summary>How far each of these batches has come.</summary>
    public async Task<IReadOnlyDictionary<Guid, BatchProgress>> ProgressAsync(IReadOnlyList<BatchState> batches, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(batches);
        var live = batches.Where(b => !BatchStates.IsTerminal(b.State)).Select(b => b.CorrelationId).ToList();
        var ends = new Dictionary<Guid, Dictionary<BatchItemOutcome, int>>();
        if (live.Count > 0)
        {
            await using var db = await databases.CreateDbContextAsync(cancellationToken);
            var counts = await db.BatchCounts.Where(c => live.Contains(c.BatchId)).GroupBy(c => new { c.BatchId, c.End })
                .Select(g => new { g.Key.BatchId, g.Key.End, Count = g.Sum(c => c.Count) }).ToListAsync(cancellationToken);
            ends = counts.GroupBy(c => c.BatchId).ToDictionary(g => g.Key, g => g.ToDictionary(c => c.End, c => c.Count));
        }

        return batches.ToDictionary(b => b.CorrelationId,
            b => BatchStates.IsTerminal(b.State) ? BatchProgress.Of(b) : BatchProgress.Of(b, ends.GetValueOrDefault(b.CorrelationId) ?? []));
    }

    private static IQueryable<BatchState> Visible(TaskDbContext db, Access access) => access.Filter(db.Batches.AsNoTracking());
}
